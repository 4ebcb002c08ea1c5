package portal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"

	"tikakosh/internal/certificate/encode"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/assets"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
)

// workerPath is the address of the worker that keeps the page of the check for use without a
// network. It stays the same over releases: a browser asks for it anew and finds a new one.
const workerPath = "/verify/worker.js"

// What the page fetches to check by itself: the API's own.
const (
	keysPath = "/api/v3/keys"
	listPath = "/api/v3/revocations"
)

// keysOld is the page's own outcome: signed with a key that it does not have, and its keys are
// old.
const keysOld = "keys_old"

// verifyPage is the form, with what its script needs in this language.
func (s *Server) verifyPage(say *catalogue.Tongue, text view.Field) view.VerifyPage {
	v := view.VerifyPage{Text: text, Decoder: s.assets.URL("zxing.js"), Wasm: s.assets.URL("zxing.wasm")}
	x := &view.Offline{Code: s.assets.URL("hc1.js"), Worker: workerPath, Keys: keysPath, List: listPath, Decoder: []string{v.Decoder, v.Wasm}, Months: say.Months(),
		Texts: map[string]string{"site": say.T("site.name"), "checked": say.T("verify.checked", "N", "{N}", "At", "{At}"), "dose_of": say.T("verify.dose_of", "N", "{N}", "Of", "{Of}"),
			"age": say.T("verify.age", "Ago", "{Ago}"), "gender_M": say.T("numbers.gender_1"), "gender_F": say.T("numbers.gender_2")},
		Verdicts: map[string][3]string{keysOld: {"warn", say.T("verify.undecided"), say.T("verify.keys_old_text")}}}
	for short, id := range map[string]string{"offline_ready": "verify.offline_ready", "offline_old": "verify.offline_old", "offline_not": "verify.offline_not"} {
		x.Texts[short] = say.T(id, "N", "{N}", "At", "{At}", "Ago", "{Ago}")
	}
	for _, id := range []string{"verify.offline_empty", "verify.offline_gone", "verify.wait", "verify.compare", "verify.compare_pdf", "verify.name", "verify.latin", "verify.birth", "verify.gender", "verify.id", "verify.guardian",
		"verify.vaccine", "verify.maker", "verify.disease", "verify.dose", "verify.given", "verify.lot", "verify.by", "verify.country", "verify.given_in", "verify.issuer", "verify.valid", "verify.ci"} {
		x.Texts[strings.TrimPrefix(id, "verify.")] = say.T(id)
	}
	for code, o := range verdicts() {
		x.Verdicts[code] = [3]string{o.Kind, say.T(o.Heading), say.T(o.Heading + "_text")}
	}
	x.Verdicts[encode.CodeListOld] = [3]string{"warn", say.T("verify.undecided"), say.T("verify.list_old_text")}
	x.Verdicts[encode.CodeMalformed] = [3]string{"bad", say.T("verify.unreadable"), say.T("verify.unreadable_text")}
	for _, p := range encode.Products() {
		row := []string{p.MP, p.Name, p.Maker, p.Disease, p.TG, p.VP, p.MA}
		if !p.COVID {
			if row = []string{p.ICVP, p.Name, p.Maker, p.Disease}; p.ICVP == "" {
				row[0] = p.Name
			}
		}
		x.Products = append(x.Products, row)
	}
	v.Offline = x
	return v
}

// kit says what the worker keeps. More is kept once the page asks for it.
type kit struct {
	Version string   `json:"version"`
	Page    string   `json:"page"`
	Pages   []string `json:"pages"`
	Files   []string `json:"files"`
	More    []string `json:"more"`
	Data    []string `json:"data"`
}

// newKit makes the worker's script. Its version changes with whatever the page is made of, so
// that a browser that has kept it comes to have the new one.
func (s *Server) newKit() ([]byte, error) {
	k := kit{Page: "/verify", Data: []string{keysPath, listPath}, More: []string{s.assets.URL("zxing.js"), s.assets.URL("zxing.wasm")}}
	for _, name := range []string{"portal.css", "portal-rtl.css", "portal.js", "scan.js", "verify.js", "hc1.js", "icon.svg"} {
		k.Files = append(k.Files, s.assets.URL(name))
	}
	source := s.assets.Source("worker.js")
	sum := sha256.New()
	for _, l := range s.say.Languages() {
		k.Pages = append(k.Pages, k.Page+"?lang="+l.Code)
		say := s.say.In(l.Code)
		var page bytes.Buffer
		if err := view.Verify(&view.Page{Tongue: say, Self: k.Page, Languages: s.say.Languages(), Asset: s.assets.URL}, s.verifyPage(say, view.Field{})).Render(context.Background(), &page); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "page")
		}
		sum.Write(page.Bytes())
	}
	sum.Write(source)
	sum.Write([]byte(strings.Join(append(k.Files, k.More...), " ") + s.cfg.Version))
	k.Version = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:9])
	raw, err := json.Marshal(k)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "worker")
	}
	return append([]byte("const KIT = "+string(raw)+";\n"), source...), nil
}

// worker is the worker's script, made at the first request.
type worker struct {
	once sync.Once
	body []byte
	err  error
}

// verifyWorker serves the script. It may work for the page of the check and for no other.
func verifyWorker(c *Ctx) error {
	w := &c.s.worker
	w.once.Do(func() { w.body, w.err = c.s.newKit() })
	if w.err != nil {
		return w.err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Content-Security-Policy", assets.WorkerPolicy)
	h.Set("Service-Worker-Allowed", "/verify")
	h.Set("Cache-Control", "no-cache")
	return c.send(w.body)
}
