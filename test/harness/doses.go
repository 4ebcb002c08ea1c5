package harness

import (
	"encoding/json"
	"fmt"
	"time"
)

// The routes about dose events.
const (
	DosesPath     = "/v3/doses"
	ConfirmPath   = "/v3/doses/confirm"
	DisputePath   = "/v3/doses/dispute"
	GivenPath     = "/v3/staff/doses"
	UnmatchedPath = "/v3/staff/doses/unmatched"
	ProposePath   = "/v3/staff/corrections"
	ApprovePath   = "/v3/staff/corrections/approve"
	StatusPath    = "/v3/status/corrections"
	RulesPath     = "/v3/status/rules"
)

// Waiting asks, with a staff key, what waits at its centre for a second person, or
// what one proposal ("" none) says. The answer may be a refusal.
func (s *Server) Waiting(k StaffKey, correction string) Answer {
	s.tb.Helper()
	path := fmt.Sprintf("%s?center_id=%d", ProposePath, k.Centre)
	if correction != "" {
		path += "&correction_id=" + correction
	}
	return s.Client().SignedGet(k, path)
}

// SignedGet asks with a staff key for an address, whose query is signed with it.
func (c *Client) SignedGet(k StaffKey, path string) Answer {
	c.Server.tb.Helper()
	proof, err := k.Sign(Claims("GET", c.Server.API+path, nil, c.Server.Now()))
	if err != nil {
		c.Server.tb.Fatal(err)
	}
	return c.Must("GET", path, nil, "DPoP", proof)
}

// DoseEvent is one dose event as its person sees it.
type DoseEvent struct {
	Reference string `json:"beneficiary_reference_id"`
	Event     string `json:"event_id"`
	Vaccine   string `json:"vaccine"`
	Batch     string `json:"vaccine_batch"`
	Dose      int    `json:"dose"`
	Date      string `json:"date"`
	Source    string `json:"source"`
	Country   string `json:"country"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	Changes   int    `json:"changes"`
}

// Doses are the dose events of the household.
func (c *Client) Doses() []DoseEvent {
	c.Server.tb.Helper()
	a := c.need("doses", c.Must("GET", DosesPath, nil))
	var got struct {
		Doses []DoseEvent `json:"doses"`
	}
	if err := json.Unmarshal(a.Body, &got); err != nil {
		c.Server.tb.Fatal(err)
	}
	return got.Doses
}

// AwaitDose waits until a person's record has a dose event in a status.
func (c *Client) AwaitDose(reference, status string) DoseEvent {
	c.Server.tb.Helper()
	for range 150 {
		for _, d := range c.Doses() {
			if d.Reference == reference && d.Status == status {
				return d
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.Server.tb.Fatalf("no %s dose came into the record of %s", status, reference)
	return DoseEvent{}
}

// WriteDose records a dose without evidence of the person.
func (s *Server) WriteDose(d Day, reference string) Answer {
	s.tb.Helper()
	form := DoseForm(d, reference, "", 1)
	delete(form, "security_code")
	return s.Client().Signed(s.StaffKey("vaccinator"), VaccinatePath, form)
}

// Unmatched is the manager's list of doses without a person, and its events by
// the number as typed.
func (s *Server) Unmatched() map[string]string {
	s.tb.Helper()
	k, c := s.StaffKey("manager"), s.Client()
	a := c.need("unmatched", c.Signed(k, UnmatchedPath, map[string]any{"center_id": k.Centre}))
	var got struct {
		Doses []struct {
			Event string `json:"event_id"`
			Typed string `json:"beneficiary_reference_id"`
		} `json:"doses"`
	}
	if err := json.Unmarshal(a.Body, &got); err != nil {
		s.tb.Fatal(err)
	}
	out := map[string]string{}
	for _, d := range got.Doses {
		out[d.Typed] = d.Event
	}
	return out
}

// Correct proposes a correction as the manager and approves it by another key.
// The answer is that of the approval.
func (s *Server) Correct(by StaffKey, kind, event, reference string, more map[string]any) Answer {
	s.tb.Helper()
	k, c := s.StaffKey("manager"), s.Client()
	form := map[string]any{"kind": kind, "center_id": k.Centre, "event_id": event, "beneficiary_reference_id": reference, "reason": "the person was asked"}
	for name, v := range more {
		form[name] = v
	}
	a := c.need("propose", c.Signed(k, ProposePath, form))
	form["correction_id"] = a.Field("correction_id")
	return c.Signed(by, ApprovePath, form)
}
