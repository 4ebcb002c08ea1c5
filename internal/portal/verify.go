package portal

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/certificate"
	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/edge"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/assets"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
)

// verifyLimit bounds a form with a certificate: the PDF and the rest of the form.
const verifyLimit = encode.MaxPDF + 64<<10

// Certificates is what a stranger needs to check one.
type Certificates interface {
	// CertificateKeys are the issuer's public keys, as the vault publishes them.
	CertificateKeys() ([]byte, error)
	// RevocationList is the issuer's signed list of certificates taken back.
	RevocationList(ctx context.Context) ([]byte, error)
}

// verifyRoutes: a browser sends the field of a file that nobody chose as an empty part, which
// mime/multipart reads as a plain field.
func verifyRoutes() []Route {
	return []Route{
		page("/verify", "verify", verifyForm),
		page(workerPath, "verify.worker", verifyWorker),
		{Method: "POST", Path: "/verify", Audience: edge.Public, Action: "verify", Rate: edge.RateSearch, BodyLimit: verifyLimit, Fields: []string{"text", "file"}, Upload: true, Personal: true, Handler: verify},
	}
}

func verifyForm(c *Ctx) error { return c.askCertificate(view.Field{}) }

// askCertificate shows the form. Its page alone may use the camera and compile the decoder.
func (c *Ctx) askCertificate(text view.Field) error {
	h := c.w.Header()
	h.Set("Permissions-Policy", assets.CameraPermissions)
	h.Set("Content-Security-Policy", assets.CameraPolicy)
	p := c.page("verify.title")
	p.KeepForm = "verify-form"
	p.Scripts = append(p.Scripts, "scan.js", "verify.js")
	status := http.StatusOK
	if text.Wrong != "" {
		p.Wrong, status = true, http.StatusUnprocessableEntity
	}
	return c.render(status, view.Verify(p, c.s.verifyPage(c.say, text)))
}

// certificateSent is what was sent: the text or the file.
func (c *Ctx) certificateSent() ([]byte, error) {
	if text := strings.TrimSpace(c.form.Get("text")); text != "" {
		return []byte(text), nil
	}
	if c.r.MultipartForm == nil {
		return nil, nil
	}
	for name, files := range c.r.MultipartForm.File {
		if name != "file" || len(files) != 1 {
			return nil, fault.New(fault.Invalid, "field", "an unknown or repeated file")
		}
		f, err := files[0].Open()
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "file")
		}
		defer f.Close()
		raw, err := io.ReadAll(io.LimitReader(f, encode.MaxPDF+1))
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "file")
		}
		return raw, nil
	}
	return nil, nil
}

// verify answers whether a certificate is genuine. Nothing of it is kept or logged.
func verify(c *Ctx) error {
	if c.r.MultipartForm != nil {
		defer func() { _ = c.r.MultipartForm.RemoveAll() }()
	}
	if c.keep {
		return c.askCertificate(view.Field{Value: c.form.Get("text")})
	}
	input, err := c.certificateSent()
	if err != nil {
		return err
	}
	if len(input) == 0 {
		return c.askCertificate(view.Field{Wrong: "verify.empty"})
	}
	raw, err := c.s.cfg.Certificates.CertificateKeys()
	if err != nil {
		return err
	}
	keys, err := encode.ParseKeySet(raw)
	if err != nil {
		return &fault.Error{Kind: fault.Unavailable, Code: "keys", Err: err}
	}
	res, verr := certificate.Verify(input, keys, c.begin)
	if verr == nil {
		res = c.against(res, keys)
	}
	v := c.verdict(res)
	return c.render(http.StatusOK, view.Verdict(c.page(v.Heading), v))
}

// against holds a genuine certificate against the list of those taken back. Without a list it
// is not decided: a certificate is called good only when it was held against a fresh one.
func (c *Ctx) against(res certificate.Result, keys encode.KeySet) certificate.Result {
	raw, err := c.s.cfg.Certificates.RevocationList(c.r.Context())
	if err == nil {
		var list encode.Revocations
		if list, err = encode.ParseRevocations(raw, keys); err == nil {
			res, _ = res.Against(list, c.begin) // Problem says it
			return res
		}
	}
	res.Problem = encode.CodeListOld
	return res
}

// verdicts says what each outcome is to a person.
func verdicts() map[string]view.VerdictPage {
	return map[string]view.VerdictPage{
		"":                    {Kind: "good", Heading: "verify.genuine"},
		encode.CodeExpired:    {Kind: "warn", Heading: "verify.expired"},
		encode.CodeNotYet:     {Kind: "warn", Heading: "verify.not_yet"},
		encode.CodeListOld:    {Kind: "warn", Heading: "verify.undecided"},
		encode.CodeRevoked:    {Kind: "bad", Heading: "verify.revoked"},
		encode.CodeUnknownKey: {Kind: "bad", Heading: "verify.unknown"},
		encode.CodeSignature:  {Kind: "bad", Heading: "verify.forged"},
	}
}

// verdict is the page of an outcome.
func (c *Ctx) verdict(res certificate.Result) view.VerdictPage {
	v, ok := verdicts()[res.Problem]
	if !ok {
		v = view.VerdictPage{Kind: "bad", Heading: "verify.unreadable"}
	}
	v.Text = v.Heading + "_text"
	if res.Genuine {
		v.Facts, v.Note = c.facts(res.Facts), "verify.compare"
		if res.FromPDF {
			v.Note = "verify.compare_pdf"
		}
	}
	if k := res.Checked; k != nil {
		v.Checked = c.say.T("verify.checked", "N", catalogue.Number(k.Number), "At", c.say.Clock(k.IssuedAt))
	}
	return v
}

// facts are the signed statements, in the order in which somebody at a gate compares them.
func (c *Ctx) facts(v encode.Verified) []view.Fact {
	var out []view.Fact
	add := func(label, value string) {
		if value != "" {
			out = append(out, view.Fact{Label: label, Value: value})
		}
	}
	add("verify.name", v.Name)
	if v.NameLatin != v.Name {
		add("verify.latin", v.NameLatin)
	}
	add("verify.birth", v.Birth)
	if v.Gender != "" {
		add("verify.gender", c.say.T(map[string]string{"Male": "numbers.gender_1", "Female": "numbers.gender_2"}[v.Gender]))
	}
	add("verify.id", v.IDLast4)
	add("verify.guardian", v.Guardian)
	add("verify.vaccine", v.Product.Name)
	add("verify.maker", v.Product.Maker)
	add("verify.disease", v.Product.Disease)
	add("verify.dose", c.say.T("verify.dose_of", "N", strconv.Itoa(v.Dose), "Of", strconv.Itoa(v.Total)))
	add("verify.given", c.say.Day(v.Given))
	add("verify.lot", v.Lot)
	add("verify.by", v.Vaccinator)
	add("verify.country", v.Country)
	add("verify.given_in", v.GivenIn)
	add("verify.issuer", v.Issuer)
	add("verify.valid", c.until(v.ExpiresAt))
	add("verify.ci", v.CI)
	return out
}

func (c *Ctx) until(at time.Time) string { return c.say.Clock(at) }
