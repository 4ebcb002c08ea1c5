package notify

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"tikakosh/internal/fault"
)

// Routes is the configuration of the courier's ways out, in order of preference.
type Routes struct {
	Routes []Route      `json:"routes"`
	Email  []EmailRoute `json:"email,omitempty"` // none: this installation sends no e-mail
}

// Route is one SMPP gateway. The password is in a file of its own.
type Route struct {
	Name          string                       `json:"name"`
	Address       string                       `json:"address"` // host:port
	TLS           bool                         `json:"tls"`
	CAFile        string                       `json:"ca_file,omitempty"`     // PEM; "" is the system's
	ServerName    string                       `json:"server_name,omitempty"` // in the certificate; "" is the address's host
	SystemID      string                       `json:"system_id"`
	PasswordFile  string                       `json:"password_file"`
	SystemType    string                       `json:"system_type,omitempty"`
	Sender        string                       `json:"sender"`
	SenderTON     int                          `json:"sender_ton"`
	SenderNPI     int                          `json:"sender_npi"`
	CountryPrefix string                       `json:"country_prefix,omitempty"` // before numbers of ten digits
	EntityID      string                       `json:"entity_id,omitempty"`      // India's DLT
	TemplateIDs   map[string]map[string]string `json:"template_ids,omitempty"`   // template → language → id
	Window        int                          `json:"window,omitempty"`         // requests ahead of their answers; 0 is 64

	// Secret and CA are filled in from the files, for a courier that may not read them.
	Secret string `json:"secret,omitempty"`
	CA     string `json:"ca,omitempty"`

	password string
}

// defaultWindow carries 1,000 messages a second at 60 ms a round trip.
const defaultWindow = 64

// ParseRoutes reads a configuration; unknown fields are errors. The texts of its
// errors are for the operator and hold no secret.
func ParseRoutes(raw []byte) (Routes, error) {
	var c Routes
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, badRoutes("it is not JSON as expected: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return c, badRoutes("something follows the routes")
	}
	if len(c.Routes) == 0 || len(c.Routes) > 4 {
		return c, badRoutes("one to four routes are wanted")
	}
	if len(c.Email) > 2 {
		return c, badRoutes("at most two e-mail routes are wanted")
	}
	for i := range c.Routes {
		r := &c.Routes[i]
		if r.Window == 0 {
			r.Window = defaultWindow
		}
		if err := r.check(); err != nil {
			return c, err
		}
		r.password = strings.TrimRight(r.Secret, "\r\n")
	}
	for i := range c.Email {
		r := &c.Email[i]
		if err := r.check(); err != nil {
			return c, err
		}
		r.password = strings.TrimRight(r.Secret, "\r\n")
	}
	return c, c.namesOnce()
}

// namesOnce refuses two routes of one name: counts are told by it.
func (c *Routes) namesOnce() error {
	names := map[string]bool{}
	for _, r := range c.Routes {
		if names[r.Name] {
			return badRoutes("two routes are called %s", r.Name)
		}
		names[r.Name] = true
	}
	for _, r := range c.Email {
		if names[r.Name] {
			return badRoutes("two routes are called %s", r.Name)
		}
		names[r.Name] = true
	}
	return nil
}

func (r *Route) check() error {
	host, port, err := net.SplitHostPort(r.Address)
	switch {
	case !isRouteName(r.Name):
		return badRoutes("each route needs a name of at most 32 plain characters")
	case err != nil || host == "" || port == "":
		return badRoutes("route %s: address is wanted as host:port", r.Name)
	case r.SystemID == "" || len(r.SystemID) > 15 || len(r.SystemType) > 12:
		return badRoutes("route %s: system_id has 1 to 15 characters, system_type at most 12", r.Name)
	case r.PasswordFile == "" && r.Secret == "":
		return badRoutes("route %s: password_file is missing", r.Name)
	case r.Sender == "" || len(r.Sender) > 20:
		return badRoutes("route %s: sender has 1 to 20 characters", r.Name)
	case r.SenderTON < 0 || r.SenderTON > 6 || r.SenderNPI < 0 || r.SenderNPI > 18:
		return badRoutes("route %s: sender_ton is 0 to 6 (5 for letters), sender_npi 0 to 18", r.Name)
	case !only(r.CountryPrefix, "0123456789") || len(r.CountryPrefix) > 3:
		return badRoutes("route %s: country_prefix is at most three digits", r.Name)
	case r.Window < 1 || r.Window > 1000:
		return badRoutes("route %s: window is 1 to 1000", r.Name)
	}
	return r.checkDLT()
}

// isRouteName takes 1 to 32 visible ASCII characters.
func isRouteName(s string) bool {
	return s != "" && len(s) <= 32 && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
}

func badRoutes(format string, a ...any) error {
	return fault.New(fault.Invalid, "routes", "the routes file: "+fmt.Sprintf(format, a...))
}

func (r *Route) tlsConfig() (*tls.Config, error) {
	if !r.TLS {
		return nil, nil
	}
	host, _, _ := net.SplitHostPort(r.Address)
	return tlsTo(r.Name, host, r.ServerName, r.CA)
}

// tlsTo checks a server's certificate against its name and the CA given, or the
// system's.
func tlsTo(route, host, name, ca string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if name != "" {
		c.ServerName = name
	}
	if ca != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, badRoutes("route %s: ca_file holds no certificate", route)
		}
	}
	return c, nil
}

func (r *Route) number(to string) string {
	to = strings.TrimPrefix(to, "+")
	if len(to) == 10 {
		return r.CountryPrefix + to
	}
	return to
}

func (r *Route) template(name, language string) string {
	if t := templates()[name]; language != "hi" && (language != "ur" || t.ur == "") {
		language = "en"
	}
	return r.TemplateIDs[name][language]
}
