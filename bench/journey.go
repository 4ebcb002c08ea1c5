package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/id"
)

var (
	oneTimeCode = regexp.MustCompile(`\b(\d{6}) is your`)
	bookingCode = regexp.MustCompile(`ode (\d{4})\b`)
)

// message is one entry of the outbox.
type message struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// day is the session the round books into.
type day struct {
	Centre                int64
	Session, Slot, Date   string
	Vaccine               string
	Name, District, State string
}

// messages reads the outbox until want matches a text to every mobile.
func (s *server) messages(ctx context.Context, people []person, want *regexp.Regexp, set func(p *person, code string)) error {
	missing := map[string]*person{}
	for i := range people {
		missing[people[i].mobile] = &people[i]
	}
	for range 200 {
		var all []message
		if err := s.call(ctx, "GET", s.outbox+"/messages.json", nil, nil, &all); err != nil {
			return err
		}
		for _, m := range all {
			if p := missing[m.To]; p != nil {
				if got := want.FindStringSubmatch(m.Text); got != nil {
					set(p, got[1])
					delete(missing, m.To)
				}
			}
		}
		if len(missing) == 0 {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%d messages never came", len(missing))
}

func (s *server) codes(ctx context.Context, people []person) error {
	return s.messages(ctx, people, oneTimeCode, func(p *person, code string) { p.code = code })
}

func (s *server) bookingCodes(ctx context.Context, people []person) error {
	return s.messages(ctx, people, bookingCode, func(p *person, code string) { p.code = code })
}

// phases are the main job, in order.
func (s *server) phases(ctx context.Context, people []person, d day) []phase {
	var key *signer
	bearer := func(p *person) string { return "Authorization: Bearer " + p.token }
	post := func(path string, body any, head ...string) ([]byte, error) {
		raw, err := json.Marshal(body)
		return s.request("POST", path, raw, head...), err
	}
	return []phase{
		{name: "sign-up: code asked",
			ask: func(p *person) ([]byte, error) {
				return post("/v2/auth/public/generateOTP", map[string]string{"mobile": p.mobile})
			},
			take: func(p *person, body []byte) (err error) { p.txn, err = field(body, "txnId"); return err }},
		{name: "sign-up: code confirmed",
			prep: func() error { return s.codes(ctx, people) },
			ask: func(p *person) ([]byte, error) {
				return post("/v2/auth/public/confirmOTP", map[string]string{"otp": digest(p.code), "txnId": p.txn})
			},
			take: func(p *person, body []byte) (err error) { p.token, err = field(body, "token"); return err }},
		{name: "sign-up: person registered",
			ask: func(p *person) ([]byte, error) {
				return post("/v2/registration/beneficiary/new", map[string]any{"name": "Bench Person", "birth_year": "1980", "gender_id": 1,
					"photo_id_type": 6, "photo_id_number": "ABCDE" + p.mobile[len(p.mobile)-4:] + "F", "comorbidity_ind": "N", "consent_version": "1"}, bearer(p))
			},
			take: func(p *person, body []byte) (err error) {
				p.ref, err = field(body, "beneficiary_reference_id")
				return err
			}},
		{name: "own record with receipt",
			ask: func(p *person) ([]byte, error) {
				return s.request("GET", "/v2/appointment/beneficiaries", nil, bearer(p)), nil
			},
			take: func(p *person, body []byte) error {
				if !bytes.Contains(body, []byte(`"`+p.ref+`"`)) || !bytes.Contains(body, []byte(`"receipts":["tkr1.`)) {
					return errors.New("not the person's record, or no receipt")
				}
				return nil
			}},
		{name: "book",
			ask: func(p *person) ([]byte, error) {
				return post("/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": d.Session, "slot": d.Slot, "beneficiaries": []string{p.ref}}, bearer(p))
			},
			take: func(p *person, body []byte) (err error) {
				p.hold, err = field(body, "appointment_confirmation_no")
				return err
			}},
		{name: "record a dose", // the proofs are made beforehand: they are a device's work, not the server's
			prep: func() (err error) {
				if key, err = readSigner(filepath.Join(s.staff, "vaccinator.json")); err != nil {
					return err
				}
				return s.bookingCodes(ctx, people)
			},
			ask: func(p *person) ([]byte, error) {
				const path = "/v2/vaccinator/beneficiaries/vaccinate"
				body, err := json.Marshal(map[string]any{"beneficiary_reference_id": p.ref, "center_id": d.Centre, "vaccine": d.Vaccine,
					"vaccine_batch": "BENCH-1", "dose": 1, "dose1_date": d.Date, "vaccinator_name": "Bench Vaccinator", "security_code": p.code})
				if err != nil {
					return nil, err
				}
				proof, err := key.proof("POST", s.api+path, body)
				return s.request("POST", path, body, "DPoP: "+proof), err
			}},
	}
}

// openDay waits until the search shows today's session at the staff's centre,
// and opens it.
func (s *server) openDay(ctx context.Context) (day, error) {
	for range 100 {
		if d, err := s.findDay(ctx); err != nil || d.Session != "" {
			if err != nil {
				return d, err
			}
			return d, s.signed(ctx, "/v3/staff/sessions", map[string]any{"center_id": d.Centre, "session_id": d.Session, "date": d.Date,
				"zone": "Asia/Kolkata", "name": d.Name, "district_name": d.District, "state_name": d.State, "vaccine": d.Vaccine})
		}
		time.Sleep(100 * time.Millisecond)
	}
	return day{}, errors.New("the staff's centre has no session today")
}

func (s *server) findDay(ctx context.Context) (day, error) {
	raw, err := os.ReadFile(filepath.Join(s.staff, "vaccinator.json"))
	if err != nil {
		return day{}, err
	}
	var key struct {
		Centre int64 `json:"center_id"`
	}
	if err := json.Unmarshal(raw, &key); err != nil {
		return day{}, err
	}
	loc, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		return day{}, err
	}
	d := day{Centre: key.Centre, Date: time.Now().In(loc).Format("02-01-2006")}
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
			} `json:"sessions"`
		} `json:"centers"`
	}
	path := fmt.Sprintf("/v2/appointment/sessions/public/calendarByCenter?center_id=%d&date=%s", d.Centre, d.Date)
	if err := s.call(ctx, "GET", s.api+path, nil, nil, &found); err != nil {
		return d, err
	}
	for _, x := range found.Centers.Sessions {
		if x.Date == d.Date {
			d.Session, d.Vaccine, d.Slot = x.ID, x.Vaccine, x.Slots[len(x.Slots)-1] // the one that is over last
			d.Name, d.District, d.State = found.Centers.Name, found.Centers.District, found.Centers.State
			break
		}
	}
	return d, nil
}

// signed sends a manager's request.
func (s *server) signed(ctx context.Context, path string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	key, err := readSigner(filepath.Join(s.staff, "manager.json"))
	if err != nil {
		return err
	}
	proof, err := key.proof("POST", s.api+path, raw)
	if err != nil {
		return err
	}
	return s.call(ctx, "POST", s.api+path, raw, map[string]string{"DPoP": proof}, nil)
}

// signer makes staff proofs (ADR 1) with a key file that enrol wrote.
type signer struct{ jose.Signer }

func readSigner(path string) (*signer, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Key jose.JSONWebKey `json:"key"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, err
	}
	opts := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: file.Key.Key}, opts)
	return &signer{made}, err
}

func (k *signer) proof(method, url string, body []byte) (string, error) {
	sum := sha256.Sum256(body)
	claims, err := json.Marshal(map[string]any{"jti": id.Secret(20), "htm": method, "htu": url, "iat": time.Now().Unix(),
		"bh": base64.RawURLEncoding.EncodeToString(sum[:])})
	if err != nil {
		return "", err
	}
	signed, err := k.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
