package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
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

func (s *server) ask(ctx context.Context, p *person) error {
	var a struct {
		Txn string `json:"txnId"`
	}
	if err := s.call(ctx, "POST", "/v2/auth/public/generateOTP", map[string]string{"mobile": p.mobile}, "", nil, &a); err != nil {
		return err
	}
	p.token = a.Txn
	return nil
}

// messages reads the outbox until want matches a text to every mobile.
func (s *server) messages(ctx context.Context, people []person, want *regexp.Regexp, set func(p *person, code string)) error {
	missing := map[string]*person{}
	for i := range people {
		missing[people[i].mobile] = &people[i]
	}
	for range 200 {
		var all []message
		saved := s.api
		s.api = s.outbox
		err := s.call(ctx, "GET", "/messages.json", nil, "", nil, &all)
		s.api = saved
		if err != nil {
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

func (s *server) confirm(ctx context.Context, p *person) error {
	var a struct {
		Token string `json:"token"`
	}
	if err := s.call(ctx, "POST", "/v2/auth/public/confirmOTP", map[string]string{"otp": digest(p.code), "txnId": p.token}, "", nil, &a); err != nil {
		return err
	}
	p.token = a.Token
	return nil
}

func (s *server) enrol(ctx context.Context, p *person) error {
	var a struct {
		Ref string `json:"beneficiary_reference_id"`
	}
	body := map[string]any{"name": "Bench Person", "birth_year": "1980", "gender_id": 1, "photo_id_type": 6,
		"photo_id_number": "ABCDE" + p.mobile[len(p.mobile)-4:] + "F", "comorbidity_ind": "N", "consent_version": "1"}
	if err := s.call(ctx, "POST", "/v2/registration/beneficiary/new", body, p.token, nil, &a); err != nil {
		return err
	}
	p.ref = a.Ref
	return nil
}

func (s *server) book(ctx context.Context, p *person, d day) error {
	var a struct {
		Number string `json:"appointment_confirmation_no"`
	}
	body := map[string]any{"dose": 1, "session_id": d.Session, "slot": d.Slot, "beneficiaries": []string{p.ref}}
	if err := s.call(ctx, "POST", "/v2/appointment/schedule", body, p.token, nil, &a); err != nil {
		return err
	}
	p.hold = a.Number
	return nil
}

// signDoses makes the staff proofs beforehand, so that the phase measures the
// server and not the signer.
func (s *server) signDoses(ctx context.Context, people []person, d day) error {
	if err := s.bookingCodes(ctx, people); err != nil {
		return err
	}
	_, err := parallel("sign", len(people), 4, func(i int) (err error) {
		p := &people[i]
		p.body, err = json.Marshal(map[string]any{"beneficiary_reference_id": p.ref, "center_id": d.Centre, "vaccine": d.Vaccine, "vaccine_batch": "BENCH-1",
			"dose": 1, "dose1_date": d.Date, "vaccinator_name": "Bench Vaccinator", "security_code": p.code})
		if err == nil {
			p.proof, err = s.proof(ctx, "vaccinator.json", dosePath, p.body)
		}
		return err
	})
	return err
}

const dosePath = "/v2/vaccinator/beneficiaries/vaccinate"

func (s *server) dose(ctx context.Context, p *person) error {
	return s.call(ctx, "POST", dosePath, p.body, "", map[string]string{"DPoP": p.proof}, nil)
}

// openDay waits until the search shows today's session at the staff's centre,
// and opens it.
func (s *server) openDay(ctx context.Context) (day, error) {
	for range 100 {
		if d, err := s.findDay(ctx); err != nil || d.Session != "" {
			if err != nil {
				return d, err
			}
			return d, s.signed(ctx, "manager.json", "/v3/staff/sessions", map[string]any{"center_id": d.Centre, "session_id": d.Session, "date": d.Date,
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
	if err := s.call(ctx, "GET", path, nil, "", nil, &found); err != nil {
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

// signed sends a staff request with a proof made by the binary's own signer.
func (s *server) signed(ctx context.Context, key, path string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	proof, err := s.proof(ctx, key, path, raw)
	if err != nil {
		return err
	}
	return s.call(ctx, "POST", path, raw, "", map[string]string{"DPoP": proof}, nil)
}

func (s *server) proof(ctx context.Context, key, path string, body []byte) (string, error) {
	cmd := exec.CommandContext(ctx, s.bin, "staff", "sign", "--key", filepath.Join(s.staff, key), "--url", s.api+path, "--body", "-")
	cmd.Stdin = strings.NewReader(string(body))
	proof, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("staff sign: %w", err)
	}
	return strings.TrimSpace(string(proof)), nil
}
