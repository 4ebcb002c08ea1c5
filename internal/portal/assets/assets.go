// Package assets holds what the portal's pages load: style sheets, scripts, the icon. Each
// is under a name that has its digest and is kept by browsers for good. Sources are in src;
// build.sh compiles the style sheets there, go generate writes dist.
package assets

import (
	"embed"
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:generate go run ./gen

//go:embed dist
var dist embed.FS

// Prefix is what the addresses of assets begin with.
const Prefix = "/assets/"

// Policy lets a page load its own files and talk to its own origin, and nothing else: no
// inline script or style, no frame around it, no text that becomes HTML.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Permissions leaves a page nothing but where the person is, when they press for it.
const Permissions = "geolocation=(self), accelerometer=(), camera=(), display-capture=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()"

// CardPolicy is that of pages that read the code of a card: Policy, and they may compile the
// decoder that they load from here. Their permissions are CameraPermissions.
const CardPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// CameraPolicy and CameraPermissions are those of the page that reads codes: it may compile
// the decoder that it loads from here, keep itself by a worker from here (whose address one
// policy of Trusted Types lets through), and ask for the camera. WorkerPolicy is the worker's
// own: it loads from here and does nothing else.
const (
	CameraPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types verify"
	WorkerPolicy      = "default-src 'none'; connect-src 'self'; frame-ancestors 'none'"
	CameraPermissions = "camera=(self), accelerometer=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()"
)

// file is one asset in its three forms.
type file struct {
	kind   string
	plain  []byte
	br, gz []byte
}

// Set is every asset. It never changes after Load and is safe for concurrent use.
type Set struct {
	names map[string]string // as in src → address
	files map[string]file   // by the name that has the digest
}

// Load reads what is embedded.
func Load() (*Set, error) {
	raw, err := dist.ReadFile("dist/manifest.json")
	if err != nil {
		return nil, err
	}
	var manifest map[string]string
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return nil, err
	}
	s := &Set{names: map[string]string{}, files: map[string]file{}}
	for name, hashed := range manifest {
		f := file{kind: kindOf(name)}
		for end, into := range map[string]*[]byte{"": &f.plain, ".br": &f.br, ".gz": &f.gz} {
			if *into, err = dist.ReadFile("dist/" + hashed + end); err != nil {
				return nil, err
			}
		}
		s.names[name], s.files[hashed] = Prefix+hashed, f
	}
	return s, nil
}

// kindOf is a file's media type; not the machine's word, so that it is the same everywhere.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".wasm":
		return "application/wasm"
	}
	return "application/octet-stream"
}

// URL is the address of an asset by its name in src, or "" when there is none.
func (s *Set) URL(name string) string { return s.names[name] }

// Source is an asset as it is, by its name in src; nil when there is none. It is not to be
// changed.
func (s *Set) Source(name string) []byte {
	return s.files[strings.TrimPrefix(s.names[name], Prefix)].plain
}

// Sizes are the bytes of an asset as most browsers get it and as it is; 0 when there is none.
func (s *Set) Sizes(name string) (br, plain int) {
	f := s.files[strings.TrimPrefix(s.names[name], Prefix)]
	return len(f.br), len(f.plain)
}

// ServeHTTP serves the assets by GET and HEAD; anything else is not found.
func (s *Set) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	f, ok := s.files[strings.TrimPrefix(r.URL.Path, Prefix)]
	if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body := f.plain
	switch accepted := r.Header.Get("Accept-Encoding"); {
	case accepts(accepted, "br"):
		body = f.br
		h.Set("Content-Encoding", "br")
	case accepts(accepted, "gzip"):
		body = f.gz
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
}

// accepts reports whether a list of encodings names one and does not refuse it.
func accepts(list, name string) bool {
	for part := range strings.SplitSeq(list, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(coding), name) {
			q := strings.ReplaceAll(params, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}
