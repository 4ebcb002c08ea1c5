package redteam

import (
	"net/http"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestH1Extend: who stole a session's cookie has it go on; who has the key too, for ever.
func TestH1Extend(t *testing.T) {
	scene := func(s *harness.Server) (k harness.StaffKey, p *harness.Portal) {
		k, p = s.DeviceKey(), s.Portal()
		p.SignInOn(k, s.Mobile())
		return k, p
	}
	alive := func(p *harness.Portal) bool {
		return p.Server.Client().With(p.Cookie("__Host-session")).Must("GET", "/v2/appointment/beneficiaries", nil).OK()
	}
	run(t, "H1",
		trial{name: "without the key", off: []string{"holder-key"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			k, p := scene(s)
			thief := s.Portal()
			thief.SetCookie("__Host-session", p.Cookie("__Host-session"))
			thief.SetCookie("__Host-seat", p.Cookie("__Host-seat"))
			s.Forward(10 * time.Minute)
			a := thief.Extend(s.DeviceKey())
			s.Forward(6 * time.Minute)
			if alive(thief) {
				return true, "the stolen cookie goes on with a key of the thief's"
			}
			if a.Status != http.StatusForbidden {
				t.Errorf("refused as %d", a.Status)
			}
			k2, own := scene(s)
			s.Forward(10 * time.Minute)
			if a := own.Extend(k2); a.Status != 200 {
				t.Errorf("its own key: %d %s", a.Status, a.Body)
			}
			s.Forward(6 * time.Minute)
			if !alive(own) {
				t.Error("its own key does not have it go on")
			}
			_ = k
			return false, "only the key that it was got on has it go on"
		}},
		trial{name: "for ever", off: []string{"holder-hour"}, own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
			k, p := scene(s)
			for range 6 {
				s.Forward(11 * time.Minute)
				p.Extend(k)
			}
			return alive(p), "after 66 minutes with an extension every 11"
		}})
}
