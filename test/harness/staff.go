package harness

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// StaffKey is a staff device key. The signer here is written from RFC 9449 and
// docs/adr/0001, apart from the product's own.
type StaffKey struct {
	Staff  string
	Role   string
	Centre int64
	Key    *ecdsa.PrivateKey
}

type ecJWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
	D   string `json:"d,omitempty"`
}

// NewStaffKey makes a device key that nobody enrolled.
func NewStaffKey(role string, centre int64) (StaffKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return StaffKey{Role: role, Centre: centre, Key: k}, err
}

// StaffKey reads DIR/staff/ROLE.json.
func (s *Server) StaffKey(role string) StaffKey {
	s.tb.Helper()
	raw, err := os.ReadFile(filepath.Join(s.Staff, role+".json"))
	if err != nil {
		s.tb.Fatal(err)
	}
	k, err := ParseStaffKey(raw)
	if err != nil {
		s.tb.Fatal(err)
	}
	return k
}

// ParseStaffKey reads the content of a key file.
func ParseStaffKey(raw []byte) (StaffKey, error) {
	var f struct {
		Staff  string `json:"staff"`
		Role   string `json:"role"`
		Centre int64  `json:"center_id"`
		Key    ecJWK  `json:"key"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return StaffKey{}, err
	}
	num := func(s string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			return new(big.Int)
		}
		return new(big.Int).SetBytes(b)
	}
	d := num(f.Key.D).FillBytes(make([]byte, 32))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		return StaffKey{}, fmt.Errorf("staff key file: %w", err)
	}
	return StaffKey{Staff: f.Staff, Role: f.Role, Centre: f.Centre, Key: key}, nil
}

// File is the content of a key file with this key.
func (k StaffKey) File() ([]byte, error) {
	d, err := k.Key.Bytes()
	if err != nil {
		return nil, err
	}
	jwk := k.JWK()
	return json.Marshal(map[string]any{"staff": k.Staff, "role": k.Role, "center_id": k.Centre,
		"key": ecJWK{Kty: "EC", Crv: "P-256", X: jwk["x"], Y: jwk["y"], D: b64(d)}})
}

// JWK is the public key as a JSON Web Key.
func (k StaffKey) JWK() map[string]string {
	pub, err := k.Key.PublicKey.Bytes() // 04 ‖ x ‖ y
	if err != nil {
		panic(err) // a P-256 key always has bytes
	}
	return map[string]string{"kty": "EC", "crv": "P-256", "x": b64(pub[1:33]), "y": b64(pub[33:])}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Claims of a DPoP proof with the digest of the body.
func Claims(method, url string, body []byte, at time.Time) map[string]any {
	jti := make([]byte, 20)
	rand.Read(jti)
	sum := sha256.Sum256(body)
	return map[string]any{"jti": b64(jti), "htm": method, "htu": url, "iat": at.Unix(), "bh": b64(sum[:])}
}

// Sign makes a compact ES256 JWS of claims with this key's JWK in the header.
func (k StaffKey) Sign(claims map[string]any) (string, error) {
	return k.SignAs(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.JWK()}, claims)
}

// SignAs is Sign with a header of the caller's making.
func (k StaffKey) SignAs(header, claims map[string]any) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := b64(h) + "." + b64(c)
	sum := sha256.Sum256([]byte(text))
	r, v, err := ecdsa.Sign(rand.Reader, k.Key, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + b64(append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)), nil
}

// Signed sends a staff request signed by k at the server's time. The answer may
// be a refusal.
func (c *Client) Signed(k StaffKey, path string, body any) Answer {
	c.Server.tb.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		c.Server.tb.Fatal(err)
	}
	proof, err := k.Sign(Claims("POST", c.Server.API+path, raw, c.Server.Now()))
	if err != nil {
		c.Server.tb.Fatal(err)
	}
	return c.Must("POST", path, raw, "DPoP", proof)
}

// Day is a session that people can book into.
type Day struct {
	Centre                       int64
	Session, Slot, Date, Vaccine string
	CentreName, District, State  string
}

// Indian is the date at the centres (dd-mm-yyyy) by the server's clock.
func (s *Server) Indian() string {
	return s.Now().In(time.FixedZone("IST", 5*3600+1800)).Format("02-01-2006")
}

// Today finds today's session at the demo staff's centre.
func (s *Server) Today() Day {
	s.tb.Helper()
	return s.days("today", func(d Day) bool { return d.Date == s.Indian() }, 1)[0]
}

// Later returns sessions of the coming days at the demo staff's centre, soonest
// first, all of one vaccine, so that booking does not depend on the hour of the
// day.
func (s *Server) Later() []Day {
	s.tb.Helper()
	all := s.days("the coming days", func(d Day) bool { return d.Date != s.Indian() }, 2)
	first := all[0].Vaccine
	return slices.DeleteFunc(all, func(d Day) bool { return d.Vaccine != first })
}

// days waits until the search shows at least n sessions that fit: it follows
// the database a little later.
func (s *Server) days(when string, fits func(Day) bool, n int) []Day {
	s.tb.Helper()
	for range 100 {
		if all := slices.DeleteFunc(s.Days(), func(d Day) bool { return !fits(d) }); len(all) >= n {
			return all
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.tb.Fatalf("the demo staff's centre has fewer than %d sessions with places in %s", n, when)
	return nil
}

// Days are the sessions with free first-dose places at the demo staff's centre
// in the seven days from today that an adult may book.
func (s *Server) Days() []Day {
	s.tb.Helper()
	return s.DaysAt(s.StaffKey("vaccinator").Centre)
}

// DaysAt is Days of another centre.
func (s *Server) DaysAt(centre int64) []Day {
	s.tb.Helper()
	c := s.Client()
	a := c.need("calendarByCenter", c.Must("GET", fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", centre, s.Indian()), nil))
	var found struct {
		Centers struct {
			Name     string `json:"name"`
			District string `json:"district_name"`
			State    string `json:"state_name"`
			Sessions []struct {
				ID      string   `json:"session_id"`
				Date    string   `json:"date"`
				Vaccine string   `json:"vaccine"`
				Slots   []string `json:"slots"`
				MinAge  int      `json:"min_age_limit"`
				Free    int      `json:"available_capacity_dose1"`
			} `json:"sessions"`
		} `json:"centers"`
	}
	if err := json.Unmarshal(a.Body, &found); err != nil {
		s.tb.Fatal(err)
	}
	var out []Day
	for _, x := range found.Centers.Sessions {
		if x.Free > 0 && x.MinAge <= 45 && len(x.Slots) > 0 {
			out = append(out, Day{Centre: centre, Session: x.ID, Slot: x.Slots[len(x.Slots)-1], // the one that is over last
				Date: x.Date, Vaccine: x.Vaccine,
				CentreName: found.Centers.Name, District: found.Centers.District, State: found.Centers.State})
		}
	}
	return out
}

// OpenSession opens a session day with the manager's key. The answer may be a
// refusal.
func (c *Client) OpenSession(manager StaffKey, d Day) Answer {
	c.Server.tb.Helper()
	return c.Signed(manager, "/v3/staff/sessions", map[string]any{"center_id": d.Centre, "session_id": d.Session, "date": d.Date, "zone": "Asia/Kolkata",
		"name": d.CentreName, "district_name": d.District, "state_name": d.State, "vaccine": d.Vaccine})
}

// DoseForm is the request body that records a dose.
func DoseForm(d Day, reference, code string, dose int) map[string]any {
	return map[string]any{"beneficiary_reference_id": reference, "center_id": d.Centre, "vaccine": d.Vaccine, "vaccine_batch": "TEST-1",
		"dose": dose, fmt.Sprintf("dose%d_date", dose): d.Date, "vaccinator_name": "Demo Vaccinator", "security_code": code}
}

// VaccinatePath is where doses are recorded.
const VaccinatePath = "/v2/vaccinator/beneficiaries/vaccinate"

// Vaccinate takes one person of a household through booking, session and dose.
func (s *Server) Vaccinate(c *Client, mobile, reference string) Day {
	s.tb.Helper()
	d := s.Today()
	appointment, a := c.Book(d, 1, reference)
	c.need("schedule", a)
	if appointment == "" {
		s.tb.Fatal("no appointment number")
	}
	code := s.SecurityCode(mobile, d.Date, reference)
	staff := s.Client()
	staff.need("open the session", staff.OpenSession(s.StaffKey("manager"), d))
	staff.need("record the dose", staff.Signed(s.StaffKey("vaccinator"), VaccinatePath, DoseForm(d, reference, code, 1)))
	return d
}

// SecurityCode waits for the newest booking code of a mobile, of those messages
// that hold the texts about, as a date; of a reference id the last four digits do.
func (s *Server) SecurityCode(mobile string, about ...string) string {
	s.tb.Helper()
	for range 200 {
		for _, m := range s.To(mobile) {
			if code := m.SecurityCode(about...); code != "" {
				return code
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.tb.Fatal("no booking code came to the outbox")
	return ""
}

// Forge replaces the payload or header of a compact JWS and keeps its signature.
func Forge(token string, header, payload []byte) string {
	part := strings.Split(token, ".")
	if len(part) != 3 {
		return token
	}
	if header != nil {
		part[0] = b64(header)
	}
	if payload != nil {
		part[1] = b64(payload)
	}
	return strings.Join(part, ".")
}

// Payload is the decoded payload of a compact JWS.
func Payload(token string) []byte {
	part := strings.Split(token, ".")
	if len(part) != 3 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		return nil
	}
	return bytes.TrimSpace(raw)
}
