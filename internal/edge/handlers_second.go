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
}

// publicActsCache is how long the first page of the public list is served before the
// vault is asked again.
const publicActsCache = 15 * time.Second

// publicActsWait bounds one question: everybody who asks meanwhile waits for it.
const publicActsWait = 2 * time.Second

// publicActs keeps the first page of the public list. While the vault is down the
// one it gave last goes on being served, and it is not asked by every caller.
type publicActs struct {
	mu   sync.Mutex
	at   time.Time
	page *vault.SecondPersonActs
	err  error
}

func (p *publicActs) get(ctx context.Context, from SecondPersons, now time.Time) (vault.SecondPersonActs, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age, life := now.Sub(p.at), publicActsCache
	if p.err != nil {
		life = revocationRetry
	}
	if p.at.IsZero() || age < 0 || age >= life {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publicActsWait)
		got, err := from.SecondPersonActs(ctx, vault.SecondPersonRequest{})
		cancel()
		if p.at, p.err = now, err; err == nil {
			p.page = &got
		}
	}
	if p.page != nil {
		return *p.page, nil
	}
	return vault.SecondPersonActs{}, p.err
}

func secondRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/v3/staff/corrections", Audience: Staff, Action: "staff.corrections", Rate: RateSelf, ContentType: typeJSON, Handler: waitingCorrections},
		{Method: "GET", Path: "/api/v3/status/corrections", Audience: Public, Action: "status.corrections", Rate: RateSearch, ContentType: typeJSON, Handler: secondPersonActs},
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
		got, err = c.s.acts.get(c.r.Context(), c.s.cfg.Second, c.s.cfg.Now())
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
	}
	out := struct {
		Entries []row `json:"entries"`
		More    bool  `json:"more"`
	}{[]row{}, got.More}
	for _, a := range got.Acts {
		r := row{a.ID, int64(a.Centre), a.Kind, instant(a.At), instant(a.NotBefore), "", a.Digest, a.Dropped}
		if a.Done > 0 {
			r.Done = instant(a.Done)
		}
		out.Entries = append(out.Entries, r)
	}
	c.public(15)
	return c.json(out)
}
