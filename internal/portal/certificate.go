package portal

import (
	"context"
	"net/http"
	"strings"

	"tikakosh/internal/certificate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry"
	"tikakosh/internal/vault"
)

// Papers are the certificates of the people of a session.
type Papers interface {
	Household(ctx context.Context, h vault.Holder) (registry.Household, error)
	Certificate(ctx context.Context, h vault.Holder, ref id.Reference, lang string) (vault.Certificate, error)
}

// CardShower lets a session see what the card of an adult of the household guards.
type CardShower interface {
	ShowCard(ctx context.Context, r vault.ShowCardRequest) error
}

const certificatePath = "/p/{who}/certificate"

func certificateRoutes() []Route {
	return []Route{
		mine(certificatePath, "certificate", askCertificateOf),
		act(certificatePath, "certificate.show", showCertificate, "as"),
		act(certificatePath+"/card", "certificate.card", showCardFor).secret("card", "pin"),
	}
}

// who is the person of the address. The household's names are opened for it, which is an
// entry of its own.
func (c *Ctx) who() (registry.Beneficiary, error) {
	h, err := c.s.cfg.Papers.Household(c.r.Context(), c.holder)
	if err != nil {
		return registry.Beneficiary{}, err
	}
	c.waiting = h.Waiting
	return member(c, c.r.PathValue("who"), h.People, func(p registry.Beneficiary) id.Reference { return p.Reference })
}

// personPath is the page of a person, or the account where there is none.
func (c *Ctx) personPath() string {
	if c.s.has("/p/{who}") {
		return "/p/" + c.r.PathValue("who")
	}
	return "/account"
}

// offer is the page that offers a person's certificate.
func (c *Ctx) offer(p registry.Beneficiary) view.CertificateAskPage {
	v := view.CertificateAskPage{Name: p.Name, Path: "/p/" + c.r.PathValue("who") + "/certificate", Back: c.personPath(), None: p.Product == ""}
	if c.s.has("/p/{who}/share") {
		v.Share = "/p/" + c.r.PathValue("who") + "/share"
	}
	if c.waiting {
		v.None, v.Trouble = false, "cert.waiting"
	}
	return v
}

func (c *Ctx) offering(status int, v view.CertificateAskPage) error {
	p := c.page("cert.title")
	p.Wrong = v.Card.Wrong != "" || v.PIN.Wrong != ""
	p.KeepForm = map[bool]string{true: "card-form"}[v.Locked]
	return c.render(status, view.CertificateAsk(p, v))
}

func askCertificateOf(c *Ctx) error {
	p, err := c.who()
	if err != nil {
		return err
	}
	return c.offering(http.StatusOK, c.offer(p))
}

// showCertificate opens a certificate: on the page, or as a file.
func showCertificate(c *Ctx) error {
	p, err := c.who()
	if err != nil {
		return err
	}
	v := c.offer(p)
	if c.keep {
		return c.offering(http.StatusOK, v)
	}
	doc, err := c.s.cfg.Papers.Certificate(c.r.Context(), c.holder, p.Reference, c.say.Code)
	if err != nil {
		return c.noCertificate(v, err)
	}
	return c.certificate(doc, view.CertificatePage{Path: v.Path, Back: v.Path})
}

// noCertificate says why there is none, and what to do.
func (c *Ctx) noCertificate(v view.CertificateAskPage, err error) error {
	switch code := fault.CodeOf(err); {
	case code == "CARDFIRST":
		v.Locked = true
		return c.offering(http.StatusForbidden, v)
	case code == "NEWDEVICE":
		v.None, v.Trouble = false, "cert.waiting"
		return c.offering(http.StatusForbidden, v)
	case code == vault.CodeNoDose:
		v.None = true
		return c.offering(http.StatusNotFound, v)
	}
	return err
}

// showCardFor takes an adult's card and PIN, and leads back to what they guard.
func showCardFor(c *Ctx) error {
	p, err := c.who()
	if err != nil {
		return err
	}
	v := c.offer(p)
	v.Locked = true
	card, pin := strings.TrimSpace(c.form.Get("card")), strings.TrimSpace(c.form.Get("pin"))
	v.Card.Value = card
	if c.keep {
		return c.offering(http.StatusOK, v)
	}
	digits, ok := catalogue.Digits(pin, 12)
	switch {
	case card == "":
		v.Card.Wrong = "cert.card_none"
	case !ok || digits == "":
		v.PIN.Wrong = "cert.pin_none"
	}
	if v.Card.Wrong != "" || v.PIN.Wrong != "" {
		return c.offering(http.StatusUnprocessableEntity, v)
	}
	err = c.s.cfg.Unlock.ShowCard(c.r.Context(), vault.ShowCardRequest{Holder: c.holder, Card: card, PIN: digits})
	if fault.Is(err, fault.Invalid) {
		v.Card.Wrong = "cert.card_wrong"
		return c.offering(http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	return c.see(v.Path)
}

// certificate answers with a certificate as the vault made it: as a file when the form asks
// for one, else as a page with what was signed and the code.
func (c *Ctx) certificate(doc vault.Certificate, v view.CertificatePage) error {
	if c.form.Get("as") == "pdf" {
		return c.file("application/pdf", "certificate.pdf", doc.PDF)
	}
	raw, err := c.s.cfg.Certificates.CertificateKeys()
	if err != nil {
		return err
	}
	keys, err := encode.ParseKeySet(raw)
	if err != nil {
		return &fault.Error{Kind: fault.Unavailable, Code: "keys", Err: err}
	}
	res, err := certificate.Verify([]byte(doc.HC1), keys, c.begin)
	if err != nil && !res.Genuine { // a key that is newer than those known here
		return &fault.Error{Kind: fault.Unavailable, Code: "keys", Err: err}
	}
	if v.QR, v.Side, err = qrPath(doc.HC1); err != nil {
		return err
	}
	v.Facts, v.Text, v.ViewRef, v.Issuer = c.facts(res.Facts), doc.HC1, doc.ViewRef, res.Facts.Issuer
	return c.render(http.StatusOK, view.Certificate(c.page("cert.title"), v))
}
