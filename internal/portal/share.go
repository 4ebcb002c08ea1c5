package portal

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry"
	"tikakosh/internal/vault"
)

// Shares are links that open a person's certificate (ADR 43).
type Shares interface {
	Make(ctx context.Context, h vault.Holder, ref id.Reference, days int, key string) (vault.ShareMade, error)
	List(ctx context.Context, h vault.Holder, ref id.Reference) (vault.ShareList, error)
	End(ctx context.Context, h vault.Holder, ref id.Reference, link string) error
	Open(ctx context.Context, token, origin, lang string) (vault.ShareOpened, error)
}

// sharePath is where a stranger opens a link. Its secret stands behind the # of the address,
// which no browser sends: a small script takes it out of there and into a form.
const sharePath = "/share"

// shareRoutes are the pages of links: a person's own, and the stranger's.
func shareRoutes() []Route {
	open := page(sharePath, "share.open", shareForm)
	open.Personal = true
	return []Route{
		mine("/p/{who}/share", "share", shareList),
		act("/p/{who}/share", "share.make", shareMake, "days", "key"),
		act("/p/{who}/share/end", "share.end", shareEnd, "link"),
		open,
		{Method: "POST", Path: sharePath, Audience: edge.Public, Own: true, Action: "share.open", Rate: edge.RateCode, BodyLimit: bodySmall, Fields: []string{"token", "as"}, Personal: true, Handler: shareOpen},
	}
}

// shareDays are the choices of how long a link lasts, in days.
func shareDays() []int { return []int{1, 7, 30} }

func (c *Ctx) sharing(p registry.Beneficiary) (view.SharePage, error) {
	at := "/p/" + c.r.PathValue("who")
	v := view.SharePage{Name: p.Name, Path: at + "/share", Back: at + "/certificate", Days: shareDays(), Chosen: 7, Key: c.formKey()}
	got, err := c.s.cfg.Shares.List(c.r.Context(), c.holder, p.Reference)
	for _, s := range got.Shares {
		x := view.SharedLink{ID: s.ID, Made: c.instant(s.Made), Expires: c.instant(s.Expires), Uses: c.say.N("share.uses", int64(s.Uses)), Live: s.Live}
		if s.Last > 0 {
			x.Last = c.instant(s.Last)
		}
		if s.Ended > 0 {
			x.Ended = c.instant(s.Ended)
		}
		v.Links = append(v.Links, x)
	}
	return v, err
}

func (c *Ctx) instant(ms int64) string { return c.say.Clock(time.UnixMilli(ms)) }

// shareList shows a person's links. Where the certificate itself is not to be had, the page of
// the certificate says why.
func shareList(c *Ctx) error {
	p, err := c.who()
	if err != nil {
		return err
	}
	v, err := c.sharing(p)
	if err != nil {
		return c.noCertificate(c.offer(p), err)
	}
	return c.showShares(http.StatusOK, v)
}

func (c *Ctx) showShares(status int, v view.SharePage) error {
	p := c.page("share.title")
	p.KeepForm = "share"
	p.Wrong = v.Wrong != ""
	return c.render(status, view.Share(p, v))
}

// shareMake makes a link and shows it, once.
func shareMake(c *Ctx) error {
	p, err := c.who()
	if err != nil {
		return err
	}
	v, err := c.sharing(p)
	if err != nil {
		return c.noCertificate(c.offer(p), err)
	}
	days := 0
	for _, d := range shareDays() {
		if strconv.Itoa(d) == c.form.Get("days") {
			days, v.Chosen = d, d
		}
	}
	if c.keep {
		return c.showShares(http.StatusOK, v)
	}
	if days == 0 {
		v.Wrong = "share.days_none"
		return c.showShares(http.StatusUnprocessableEntity, v)
	}
	made, err := c.s.cfg.Shares.Make(c.r.Context(), c.holder, p.Reference, days, v.Key)
	if fault.CodeOf(err) == "made" { // sent again much later: the form gets a new key
		v.Wrong, v.Key = "share.made_before", newRequestKey()
		return c.showShares(http.StatusUnprocessableEntity, v)
	}
	if fault.CodeOf(err) == "shares" {
		v.Wrong = "share.full"
		return c.showShares(http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	x := view.ShareMadePage{Link: c.s.cfg.PublicURL + sharePath + "#" + made.Token, Until: c.instant(made.Share.Expires), Back: v.Path}
	if x.QR, x.Side, err = qrPath(x.Link); err != nil {
		return err
	}
	return c.render(http.StatusOK, view.ShareMade(c.page("share.made"), x))
}

// shareEnd ends a link and leads back to the list.
func shareEnd(c *Ctx) error {
	p, err := c.who()
	if err != nil {
		return err
	}
	path := "/p/" + c.r.PathValue("who") + "/share"
	if c.keep {
		return c.see(path)
	}
	if err := c.s.cfg.Shares.End(c.r.Context(), c.holder, p.Reference, c.form.Get("link")); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return c.see(path)
}

// shareForm asks for a link; the script fills it in from the address.
func shareForm(c *Ctx) error { return c.askForLink(http.StatusOK, view.Field{}) }

func (c *Ctx) askForLink(status int, token view.Field) error {
	p := c.page("share.open_title")
	p.Scripts = []string{"share.js"}
	p.KeepForm = "open"
	p.Wrong = token.Wrong != ""
	return c.render(status, view.ShareOpen(p, view.ShareOpenPage{Token: token}))
}

// tokenOf is the secret in what was typed: itself, or the whole link.
func tokenOf(typed string) string {
	typed = strings.TrimSpace(typed)
	if i := strings.LastIndexByte(typed, '#'); i >= 0 {
		typed = typed[i+1:]
	}
	return typed
}

// shareOpen opens a certificate with a link. What opens nothing has one answer.
func shareOpen(c *Ctx) error {
	typed := view.Field{Value: c.form.Get("token")}
	if c.keep {
		return c.askForLink(http.StatusOK, typed)
	}
	token := tokenOf(typed.Value)
	if token == "" {
		typed.Wrong = "share.none"
		return c.askForLink(http.StatusUnprocessableEntity, typed)
	}
	got, err := c.s.cfg.Shares.Open(c.r.Context(), token, c.origin, c.say.Code)
	if fault.Is(err, fault.NotFound) {
		return c.askForLink(http.StatusNotFound, view.Field{Wrong: "share.nothing"})
	}
	if err != nil {
		return err
	}
	return c.certificate(got.Certificate, view.CertificatePage{Path: sharePath, Token: token, Until: c.instant(got.Expires)})
}
