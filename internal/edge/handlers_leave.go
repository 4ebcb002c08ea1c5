package edge

import (
	"context"
	"net/http"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// Leaving is how vaccinated people leave the registry.
type Leaving interface {
	Leave(ctx context.Context, h vault.Holder, ref id.Reference, release func(context.Context, id.Person) error) (vault.Left, error)
	Undo(ctx context.Context, h vault.Holder, ref id.Reference) error
	Status(ctx context.Context, tracking string) (vault.LeaveStatus, error)
}

// leaveRoutes are how a record is hidden, brought back, and followed to its end.
func leaveRoutes() []Route {
	post := func(path string, a Audience, action string, rate Rate, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: a, Action: action, Rate: rate, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: h}
	}
	return []Route{
		post("/api/v3/registration/leave", Holder, "person.leave", RateSelf, leave),
		post("/api/v3/registration/leave/undo", Holder, "person.leave.undo", RateSelf, undoLeave),
		post("/api/v3/registration/leave/status", Public, "person.leave.status", RateCode, leaveStatus),
	}
}

func leave(c *Ctx) error {
	var in struct {
		Reference loose `json:"beneficiary_reference_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	ref, err := reference(string(in.Reference))
	if err != nil {
		return err
	}
	left, err := c.s.cfg.Leaving.Leave(c.r.Context(), c.holder, ref, func(ctx context.Context, person id.Person) error {
		booked, err := c.s.cfg.Bookings.Appointments(ctx, []id.Person{person})
		if err != nil {
			return err
		}
		for _, a := range booked[person] {
			if a.State != scheduling.Live {
				continue
			}
			if err := c.s.cfg.Bookings.Cancel(ctx, c.holder, a.Hold, []id.Reference{ref}); err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.json(struct {
		Tracking string `json:"tracking_number"`
		Undo     string `json:"undo_until"`
		Erase    string `json:"erased_after"`
		Receipt  string `json:"receipt"`
	}{left.Tracking, instant(left.Undo), instant(left.Erase), left.Receipt})
}

func undoLeave(c *Ctx) error {
	var in struct {
		Reference loose `json:"beneficiary_reference_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	ref, err := reference(string(in.Reference))
	if err != nil {
		return err
	}
	if err := c.s.cfg.Leaving.Undo(c.r.Context(), c.holder, ref); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// leaveStatus is for whoever has the number: 160 bits that were given to the person
// alone. It tells no name and no number.
func leaveStatus(c *Ctx) error {
	var in struct {
		Tracking string `json:"tracking_number"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if !token(in.Tracking) || !strings.HasPrefix(strings.ToUpper(in.Tracking), "TL") {
		return missing("tracking_number")
	}
	st, err := c.s.cfg.Leaving.Status(c.r.Context(), in.Tracking)
	if err != nil {
		return err
	}
	return c.json(struct {
		State string `json:"state"`
		At    string `json:"left_at"`
		Undo  string `json:"undo_until"`
		Erase string `json:"erased_after"`
	}{st.State, instant(st.At), instant(st.Undo), instant(st.Erase)})
}
