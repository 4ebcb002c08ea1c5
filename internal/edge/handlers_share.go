package edge

import (
	"context"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// Shares are links that open a person's certificate (ADR 43).
type Shares interface {
	Make(ctx context.Context, h vault.Holder, ref id.Reference, days int, key string) (vault.ShareMade, error)
	List(ctx context.Context, h vault.Holder, ref id.Reference) (vault.ShareList, error)
	End(ctx context.Context, h vault.Holder, ref id.Reference, link string) error
	Open(ctx context.Context, token, origin, lang string) (vault.ShareOpened, error)
}

// shareDays is how long a link lasts when nobody says.
const shareDays = 7

// shareRoutes: a link's secret is in a body, never in an address.
func shareRoutes() []Route {
	post := func(path string, a Audience, action string, rate Rate, content string, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: a, Action: action, Rate: rate, ContentType: content, BodyLimit: bodySmall, Own: true, Handler: h}
	}
	return []Route{
		post("/api/v3/shares", Holder, "share.make", RateSelf, typeJSON, shareMake),
		post("/api/v3/shares/list", Holder, "share.list", RateSelf, typeJSON, shareList),
		post("/api/v3/shares/end", Holder, "share.end", RateSelf, typeJSON, shareEnd),
		post("/api/v3/shares/open", Public, "share.open", RateCode, typePDF, shareOpen),
	}
}

type wireShare struct {
	ID      string `json:"id"`
	State   string `json:"state"` // live, ended or expired
	Made    string `json:"made_at"`
	Expires string `json:"expires_at"`
	Ended   string `json:"ended_at,omitempty"`
	Uses    int    `json:"uses"`
	Last    string `json:"last_used_at,omitempty"`
	Token   string `json:"token,omitempty"`
}

func shareOf(s vault.Share) wireShare {
	w := wireShare{ID: s.ID, State: "expired", Made: instant(s.Made), Expires: instant(s.Expires), Uses: s.Uses}
	switch {
	case s.Ended > 0:
		w.State, w.Ended = "ended", instant(s.Ended)
	case s.Live:
		w.State = "live"
	}
	if s.Last > 0 {
		w.Last = instant(s.Last)
	}
	return w
}

func shareMake(c *Ctx) error {
	in := struct {
		Reference loose `json:"beneficiary_reference_id"`
		Days      *int  `json:"days"`
	}{}
	if err := c.decode(&in); err != nil {
		return err
	}
	ref, err := reference(string(in.Reference))
	if err != nil {
		return err
	}
	days := shareDays
	if in.Days != nil {
		days = *in.Days
	}
	key, err := c.idempotencyKey()
	if err != nil {
		return err
	}
	got, err := c.s.cfg.Shares.Make(c.r.Context(), c.holder, ref, days, key)
	if err != nil {
		return err
	}
	w := shareOf(got.Share)
	w.Token = got.Token
	return c.json(w)
}

func shareList(c *Ctx) error {
	ref, err := c.oneReference()
	if err != nil {
		return err
	}
	got, err := c.s.cfg.Shares.List(c.r.Context(), c.holder, ref)
	if err != nil {
		return err
	}
	out := struct {
		Shares []wireShare `json:"shares"`
	}{[]wireShare{}}
	for _, s := range got.Shares {
		out.Shares = append(out.Shares, shareOf(s))
	}
	return c.json(out)
}

func shareEnd(c *Ctx) error {
	var in struct {
		Reference loose  `json:"beneficiary_reference_id"`
		ID        string `json:"id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	ref, err := reference(string(in.Reference))
	if err != nil {
		return err
	}
	if !id.Valid(in.ID) {
		return missing("id")
	}
	return c.nothing(c.s.cfg.Shares.End(c.r.Context(), c.holder, ref, in.ID))
}

func shareOpen(c *Ctx) error {
	var in struct {
		Token personal `json:"token"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Token == "" {
		return missing("token")
	}
	if len(in.Token) > 200 {
		return fault.New(fault.Invalid, "USRRES0001", "token is too long")
	}
	got, err := c.s.cfg.Shares.Open(c.r.Context(), string(in.Token), c.origin, c.language())
	if err != nil {
		return err
	}
	return c.pdf(got.Certificate.PDF, "certificate.pdf", got.Certificate.ViewRef)
}
