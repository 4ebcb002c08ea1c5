package edge

import (
	"context"
	"net/http"

	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// Moves changes appointments.
type Moves interface {
	Reschedule(ctx context.Context, h vault.Holder, in scheduling.MoveInput) (id.Hold, error)
	DrawOf(ctx context.Context, s id.Session) (scheduling.DrawView, error)
}

// bookingRoutes are the routes of appointments beyond booking and cancelling.
func bookingRoutes() []Route {
	return []Route{
		{Method: "POST", Path: "/api/v2/appointment/reschedule", Audience: Holder, Action: "booking.move", Rate: RateSelf,
			ContentType: typeJSON, BodyLimit: bodySmall, Handler: reschedule},
		{Method: "GET", Path: "/api/v3/draws/{session_id}", Audience: Public, Action: "draw", Rate: RateSearch, ContentType: typeJSON, Handler: drawOf},
	}
}

// reschedule is P2. It answers as P1 does, with the new appointment's number.
func reschedule(c *Ctx) error {
	var in struct {
		ID      string `json:"appointment_id"`
		Session string `json:"session_id"`
		Slot    string `json:"slot"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	switch {
	case !token(in.ID):
		return missing("appointment_id")
	case !token(in.Session):
		return missing("session_id")
	case in.Slot == "":
		return missing("slot")
	}
	key, err := c.idempotencyKey()
	if err != nil {
		return err
	}
	hold, err := c.s.cfg.Bookings.Reschedule(c.r.Context(), c.holder, scheduling.MoveInput{Old: id.Hold(in.ID), Session: id.Session(in.Session), Slot: in.Slot,
		Key: key, Fresh: c.r.Header.Get("Idempotency-Key") == ""})
	if err != nil {
		return err
	}
	return c.json(map[string]string{"appointment_confirmation_no": string(hold)})
}

// applied answers P1: 200 with the appointment's number, or 202 when the places
// are drawn and the request is an entry of the draw.
func (c *Ctx) applied(a scheduling.Applied) error {
	if a.Entry == 0 {
		return c.json(map[string]string{"appointment_confirmation_no": string(a.Hold)})
	}
	writeJSON(c.w, http.StatusAccepted, struct {
		Number string `json:"appointment_confirmation_no"`
		Entry  int    `json:"draw_entry"`
		At     string `json:"draw_at"`
	}{string(a.Hold), a.Entry, instant(a.DrawAt)})
	return nil
}

// wireDraw is what everybody may know of a draw.
type wireDraw struct {
	Session     string   `json:"session_id"`
	At          string   `json:"draw_at"`
	State       string   `json:"state"`
	Entries     int      `json:"entries"`
	Digest      string   `json:"digest"`
	Receipt     string   `json:"receipt"`
	Checkpoint  string   `json:"checkpoint"`
	Seed        string   `json:"seed"`
	Commitments []string `json:"commitments"`
	Order       []int    `json:"order"`
	Won         []int    `json:"won"`
}

// drawOf publishes a draw, so that anybody can compute it again.
func drawOf(c *Ctx) error {
	session := c.r.PathValue("session_id")
	if !token(session) {
		return missing("session_id")
	}
	d, err := c.s.cfg.Bookings.DrawOf(c.r.Context(), id.Session(session))
	if err != nil {
		return err
	}
	states := map[scheduling.DrawState]string{scheduling.DrawOpen: "open", scheduling.DrawClosed: "closed", scheduling.DrawSeeded: "drawing", scheduling.DrawDone: "drawn"}
	out := wireDraw{Session: session, At: instant(d.At), State: states[d.State], Entries: d.Entries, Digest: d.Digest, Receipt: d.Receipt,
		Checkpoint: d.Checkpoint, Seed: d.Seed, Commitments: append([]string{}, d.Commitments...), Order: append([]int{}, d.Order...), Won: append([]int{}, d.Won...)}
	return c.json(out)
}
