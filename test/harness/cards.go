package harness

import "net/url"

// The staff routes about people who are at a centre.
const (
	WalkInPath      = "/v2/vaccinator/beneficiaries/new"
	StaffViewPath   = "/v2/vaccinator/beneficiaries/findByReferenceId"
	OnspotPath      = "/v2/vaccinator/onspots/schedule"
	StaffCertPath   = "/v2/vaccinator/certificate/download"
	StaffCodePath   = "/v3/staff/code"
	CardSessionPath = "/v3/card/session"
	LinkPath        = "/v3/people/link"
	MergePath       = "/v3/people/merge"
	NewCardPath     = "/v3/people/card"
	UnlockPath      = "/v3/people/unlock"
)

// Card is a printed card with its PIN.
type Card struct{ Reference, Text, PIN string }

// OpenToday opens today's session at the demo staff's centre.
func (s *Server) OpenToday() Day {
	s.tb.Helper()
	d, c := s.Today(), s.Client()
	c.need("open the session", c.OpenSession(s.StaffKey("manager"), d))
	return d
}

// WalkIn registers somebody without a mobile at the demo staff's centre, whose
// session of today is open.
func (s *Server) WalkIn(p Person) Card {
	s.tb.Helper()
	if p.ID == "" {
		p.ID = s.PAN()
	}
	c := s.Client()
	a := c.need("walk-in", c.Signed(s.StaffKey("vaccinator"), WalkInPath, p.Form()))
	return CardOf(a)
}

// CardOf reads the card in an answer.
func CardOf(a Answer) Card {
	return Card{Reference: a.Field("beneficiary_reference_id"), Text: a.Field("card"), PIN: a.Field("pin")}
}

// TryCard signs in by card. The answer may be a refusal.
func (c *Client) TryCard(card Card) (bearer string, a Answer) {
	c.Server.tb.Helper()
	a = c.Must("POST", CardSessionPath, map[string]any{"card": card.Text, "pin": card.PIN})
	return a.Field("token"), a
}

// ByCard is a client with the session of a card.
func (c *Client) ByCard(card Card) *Client {
	c.Server.tb.Helper()
	bearer, a := c.TryCard(card)
	c.need("card session", a)
	return c.With(bearer)
}

// Shown asks, as staff, for a view of a person who showed evidence ("" nothing).
func (c *Client) Shown(k StaffKey, path, reference, evidence string) Answer {
	c.Server.tb.Helper()
	path += "?beneficiary_reference_id=" + url.QueryEscape(reference)
	proof, err := k.Sign(Claims("GET", c.Server.API+path, []byte(evidence), c.Server.Now()))
	if err != nil {
		c.Server.tb.Fatal(err)
	}
	header := []string{"DPoP", proof}
	if evidence != "" {
		header = append(header, "X-Evidence", evidence)
	}
	return c.Must("GET", path, nil, header...)
}

// OnspotForm is the request body that books a person who showed a card.
func OnspotForm(d Day, card Card, dose int) map[string]any {
	return map[string]any{"dose": dose, "session_id": d.Session, "slot": d.Slot, "beneficiaries": []string{card.Reference}, "card": card.Text}
}
