package scheduling

import (
	"context"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// Opening is what a manager's request says of the session day it opens.
type Opening struct {
	Centre                id.Centre
	Session               id.Session
	Day                   civil.Date
	Zone                  string
	Name, District, State string // of the centre: what certificates will say
	Product               string
}

// CheckOpening compares an opening with the session as it was published, so that
// a slip of a manager's hand does not get onto certificates. It is no control:
// the vault decides by the manager's key and believes nobody else.
// fault.Invalid names the first field that differs.
func (s *Service) CheckOpening(ctx context.Context, o Opening) error {
	differs := func(field string) error {
		return invalid("session", field+" is not that of the published session")
	}
	v, err := s.store.Session(ctx, o.Session)
	if fault.Is(err, fault.NotFound) || (err == nil && v.Centre != o.Centre) {
		return invalid("session", "session_id is not a session of this centre")
	}
	if err != nil {
		return err
	}
	c, err := s.store.Centre(ctx, o.Centre)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name      string
		got, want string
	}{{"date", o.Day.String(), v.Day.String()}, {"zone", o.Zone, v.Zone}, {"vaccine", o.Product, v.Product},
		{"name", o.Name, c.Name}, {"district_name", o.District, c.District}, {"state_name", o.State, c.State}} {
		if f.got != f.want {
			return differs(f.name)
		}
	}
	return nil
}
