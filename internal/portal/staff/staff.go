// Package staff is the staff client: the static bundle that runs in the browsers of
// staff, and the handler that serves it from an origin of its own. It knows no staff,
// no session and no vault: the bundle's keys are made in the browser.
package staff

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/ablate"
)

//go:embed client
var files embed.FS

// policy lets the page load its own files and talk to its own origin, and nothing
// else: no inline script or style, no frame around it, no text that becomes HTML.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// permissions leaves the page passkeys, for itself and for no frame in it.
const permissions = "publickey-credentials-get=(self), publickey-credentials-create=(self), accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()"

// page is the one HTML file; the addresses that show it are listed in pages.
const page = "index.html"

// pages are the addresses of the page: a link's is apart, so that its token is read
// there and nowhere else, and so is that where a department's provider sends browsers
// back to.
func pages() []string { return []string{"/", "/enrol", "/department"} }

type file struct {
	body []byte
	kind string
	tag  string
}

// bundle reads what is embedded, by name.
func bundle() map[string]file {
	root, err := fs.Sub(files, "client")
	if err != nil {
		panic(err) // the folder is named in this file
	}
	out := map[string]file{}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(root, name)
		sum := sha256.Sum256(body)
		out[name] = file{body: body, kind: kindOf(name), tag: `"` + hex.EncodeToString(sum[:16]) + `"`}
		return err
	})
	if err != nil {
		panic(err) // embedded files can be read
	}
	return out
}

// kindOf is a file's media type; not the machine's word, so that it is the same everywhere.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(path.Ext(name))
	}
}

// Sum is the SHA-256 of the bundle in hex: of what `sha256sum` prints for its files in
// the order of their names in bytes (LC_ALL=C), each "HEX  NAME" and a line feed.
func Sum() string {
	all := bundle()
	sum, err := sumOf(all, func(name string) ([]byte, error) { return all[name].body, nil })
	if err != nil {
		panic(err) // nothing is read
	}
	return sum
}

func sumOf(all map[string]file, body func(name string) ([]byte, error)) (string, error) {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		raw, err := body(name)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256(raw)
		h.Write([]byte(hex.EncodeToString(sum[:]) + "  " + name + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// settings are what the bundle has to be told. API is the base address that requests
// are signed for; Now is the server's time in Unix seconds, against which the client
// holds its computer's clock (it signs with its own all the same).
type settings struct {
	API    string `json:"api"`
	Now    int64  `json:"now"`
	Bundle string `json:"bundle"`

	Departments []Department `json:"departments"`
}

// Department is one at whose own identity provider staff sign in (ADR 37). Names by
// language.
type Department struct {
	ID    string            `json:"id"`
	Names map[string]string `json:"names"`
}

// Handler serves the bundle by GET and HEAD. api is the public base address of the API,
// without a path; departments lists those that have a button. It is safe for concurrent
// use.
func Handler(api string, now func() time.Time, departments func(context.Context) []Department) http.Handler {
	all, sum := bundle(), Sum()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Path == "/config.json" {
			raw, err := json.Marshal(settings{API: api, Now: now().Unix(), Bundle: sum, Departments: departments(r.Context())})
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		if slices.Contains(pages(), r.URL.Path) {
			name = page
		} else if name == page {
			name = "" // the page has one address, not two
		}
		f, ok := all[name]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", f.kind)
		if name != page {
			w.Header().Set("Cache-Control", "no-cache") // asked for anew each time, sent when it changed
			w.Header().Set("ETag", f.tag)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
	})
}

func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Permissions-Policy", permissions)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if ablate.Off(ablate.StaffPage) {
		return
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
}
