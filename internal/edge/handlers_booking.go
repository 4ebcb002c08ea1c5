package edge

import (
	"context"

	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// Moves changes appointments.
type Moves interface {
	Reschedule(ctx context.Context, h vault.Holder, in scheduling.MoveInput) (id.Hold, error)
}

// bookingRoutes are the routes of appointments beyond booking and cancelling.
func bookingRoutes() []Route {
	return []Route{
		{Method: "POST", Path: "/api/v2/appointment/reschedule", Audience: Holder, Action: "booking.move", Rate: RateSelf,
			ContentType: typeJSON, BodyLimit: bodySmall, Handler: reschedule},
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
