package edge

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// SecondPersons are the vault's words about what waits for a second member of staff.
type SecondPersons interface {
	Corrections(ctx context.Context, r vault.CorrectionsRequest) (vault.Corrections, error)
	SecondPersonActs(ctx context.Context, r vault.SecondPersonRequest) (vault.SecondPersonActs, error)
	Rules(ctx context.Context) (vault.Rules, error)
}

// publicCache is how long a public answer of the vault's is served before it is asked
// again.
const publicCache = 15 * time.Second

// publicWait bounds one question: everybody who asks meanwhile waits for it.
const publicWait = 2 * time.Second

// remembered keeps a public answer of the vault's. While the vault is down the one it
// gave last goes on being served, and it is not asked by every caller.
type remembered[T any] struct {
	mu   sync.Mutex
	at   time.Time
	last *T
	err  error
}

func (p *remembered[T]) get(ctx context.Context, ask func(context.Context) (T, error), now time.Time) (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age, life := now.Sub(p.at), publicCache
	if p.err != nil {
		life = revocationRetry
	}
	if p.at.IsZero() || age < 0 || age >= life {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publicWait)
		got, err := ask(ctx)
		cancel()
		if p.at, p.err = now, err; err == nil {
			p.last = &got
		}
	}
	if p.last != nil {
		return *p.last, nil
	}
	var none T
	return none, p.err
}

func secondRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/v3/staff/corrections", Audience: Staff, Action: "staff.corrections", Rate: RateSelf, ContentType: typeJSON, Handler: waitingCorrections},
		{Method: "GET", Path: "/api/v3/status/corrections", Audience: Public, Action: "status.corrections", Rate: RateSearch, ContentType: typeJSON, Handler: secondPersonActs},
		{Method: "GET", Path: "/api/v3/status/rules", Audience: Public, Action: "status.rules", Rate: RateSearch, ContentType: typeJSON, Handler: rulesInForce},
	}
}

// waitingCorrections lists what waits at a manager's centre for a second person, or
// shows one proposal: GET /api/v3/staff/corrections?center_id=&correction_id=. The
// vault reads the address itself, as it was signed.
func waitingCorrections(c *Ctx) error {
	q := c.r.URL.Query()
	if n, err := strconv.ParseInt(q.Get("center_id"), 10, 64); err != nil || n <= 0 {
		return missing("center_id")
	}
	if one := q.Get("correction_id"); one != "" && !id.Valid(one) {
		return fault.New(fault.Invalid, "USRRES0001", "correction_id is not an id of a correction")
	}
	if len(c.staff.Body) > 0 {
		return fault.New(fault.Invalid, "USRRES0001", "nobody shows anything here: X-Evidence is not for this address")
	}
	got, err := c.s.cfg.Second.Corrections(c.r.Context(), vault.CorrectionsRequest{Signed: c.staff})
	if err != nil {
		return err
	}
	type row struct {
		ID      string          `json:"correction_id"`
		Kind    string          `json:"kind"`
		By      string          `json:"proposed_by"`
		Mine    bool            `json:"mine"`
		At      string          `json:"proposed_at"`
		From    string          `json:"approve_from"`
		Expires string          `json:"expires_at"`
		Body    json.RawMessage `json:"correction,omitempty"`
	}
	out := struct {
		Waiting  []row    `json:"corrections"`
		ViewRef  string   `json:"view_ref,omitempty"`
		Receipts []string `json:"receipts"`
	}{[]row{}, got.ViewRef, append([]string{}, got.Receipts...)}
	for _, w := range got.Waiting {
		out.Waiting = append(out.Waiting, row{w.ID, w.Kind, string(w.By), w.Mine, instant(w.At), instant(w.NotBefore), instant(w.Expires), json.RawMessage(w.Body)})
	}
	if got.ViewRef != "" {
		c.shown(got.ViewRef)
	}
	return c.json(out)
}

// secondPersonActs is the public list of what waits at centres with fewer than three
// members of staff: GET /api/v3/status/corrections?after=.
func secondPersonActs(c *Ctx) error {
	after := c.r.URL.Query().Get("after")
	var got vault.SecondPersonActs
	var err error
	switch {
	case after == "":
		got, err = c.s.PublicActs(c.r.Context())
	case id.Valid(after):
		got, err = c.s.cfg.Second.SecondPersonActs(c.r.Context(), vault.SecondPersonRequest{After: after})
	default:
		err = fault.New(fault.Invalid, "USRRES0001", "after is the id of the last entry of the page before")
	}
	if err != nil {
		return err
	}
	type row struct {
		ID     string `json:"entry_id"`
		Centre int64  `json:"center_id"`
		Kind   string `json:"kind"`
		At     string `json:"proposed_at"`
		From   string `json:"approve_from"`
		Done   string `json:"approved_at"`
		Digest string `json:"digest,omitempty"`
		Drop   bool   `json:"dropped,omitempty"`

		Figures map[string]int `json:"figures,omitempty"`
	}
	out := struct {
		Entries []row `json:"entries"`
		More    bool  `json:"more"`
	}{[]row{}, got.More}
	for _, a := range got.Acts {
		r := row{a.ID, int64(a.Centre), a.Kind, instant(a.At), instant(a.NotBefore), "", a.Digest, a.Dropped, a.Figures}
		if a.Done > 0 {
			r.Done = instant(a.Done)
		}
		out.Entries = append(out.Entries, r)
	}
	c.public(15)
	return c.json(out)
}

// rulesInForce says which policies and budgets are in force: GET /api/v3/status/rules.
func rulesInForce(c *Ctx) error {
	got, err := c.s.Rules(c.r.Context())
	if err != nil {
		return err
	}
	type policies struct {
		Digest   string `json:"digest"`
		Defaults bool   `json:"defaults"`
		Since    string `json:"since"`
		Other    bool   `json:"other_folder_refused,omitempty"`
	}
	type budgets struct {
		Digest   string         `json:"digest"`
		Defaults bool           `json:"defaults"`
		Since    string         `json:"since,omitempty"`
		Figures  map[string]int `json:"figures"`
	}
	out := struct {
		Policies policies `json:"policies"`
		Budgets  budgets  `json:"budgets"`
		Older    []string `json:"older,omitempty"`
	}{Older: got.Older, Policies: policies{got.Policies, !got.Own, instant(got.Since), got.Other}, Budgets: budgets{got.BudgetsDigest, !got.BudgetsOwn, "", got.Budgets}}
	if got.BudgetsSince > 0 {
		out.Budgets.Since = instant(got.BudgetsSince)
	}
	c.public(15)
	return c.json(out)
}
