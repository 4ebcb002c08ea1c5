package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// staffStep is one act that the vault alone carries out, in one commit of its own.
// armed is called with the number of the commit, from then on, that the act is.
type staffStep struct {
	name string
	do   func(armed func(commit int)) harness.Answer
	done func() string // what is missing when it was carried out once; "" for nothing
	self bool          // the vault carries it out by itself, when it is back
}

// bothSides are those of the vault's commit at which a step is stopped: behind it always,
// before it with TIKAKOSH_BOTH=1.
func bothSides() []string {
	if os.Getenv("TIKAKOSH_BOTH") == "1" || os.Getenv("TIKAKOSH_FULL") == "1" {
		return []string{"before", "after"}
	}
	return []string{"after"}
}

// stopsAt carries a step out, with the vault ended at a side of its commit, and again as
// whoever had no answer does: it is done once, and nothing is half done.
func (l *lane) stopsAt(side string, s staffStep) {
	l.t.Helper()
	what := fmt.Sprintf("%s, stopped %s its commit", s.name, side)
	l.quiet()
	before := l.s.Role(harness.RoleVault)
	first := s.do(func(commit int) {
		if err := os.WriteFile(l.arm, fmt.Appendf(nil, "vault:%s-commit %d", side, commit), 0o644); err != nil {
			l.t.Fatal(err)
		}
	})
	if !l.fired(true) {
		l.t.Fatalf("%s: not stopped: %s", what, first.Text())
	}
	if first.OK() {
		l.t.Errorf("%s: acknowledged by a vault that had ended: %s", what, first.Text())
	}
	l.s.AwaitRole(harness.RoleVault, before)
	l.s.Alive()
	if missing := s.done(); side == "before" && !s.self && missing == "" {
		l.t.Errorf("%s: done, though it was never committed", what)
	}
	if again := s.do(func(int) {}); !again.OK() && (again.Status >= 500 || s.done() != "") {
		l.t.Fatalf("%s: the repetition failed: %s\n%s", what, again.Text(), l.s.LogAround(""))
	}
	if missing := s.done(); missing != "" {
		l.t.Fatalf("%s: %s\n%s", what, missing, l.s.LogAround(""))
	}
	l.whole(what)
	l.renew()
}

func missing(ok bool, text string) string {
	if ok {
		return ""
	}
	return text
}

// proposals are those that a desk is shown, by id: their kind and state.
func proposals(d *harness.Desk) map[string]string {
	var list struct {
		Proposals []struct {
			ID          string `json:"proposal_id"`
			Kind, State string
		}
	}
	out := map[string]string{}
	if json.Unmarshal(d.Ask("GET", "proposals", nil).Body, &list) == nil {
		for _, p := range list.Proposals {
			out[p.ID] = p.Kind + " " + p.State
		}
	}
	return out
}

// inForce is the figure that everybody is shown.
func (l *lane) inForce(figure string) int {
	l.t.Helper()
	l.s.Forward(16 * time.Second) // the web role's answer is 15 seconds old at most
	var got struct {
		Budgets struct {
			Figures map[string]int `json:"figures"`
		} `json:"budgets"`
	}
	if a := l.s.Client().Must("GET", "/v3/status/rules", nil); json.Unmarshal(a.Body, &got) != nil {
		l.t.Fatal(a.Text())
	}
	return got.Budgets.Figures[figure]
}

// TestChangeCrash stops the three steps of a change by two people: its proposal, its
// approval, and when it comes into force by itself.
func TestChangeCrash(t *testing.T) {
	t.Parallel()
	l := newLane(t, nil)
	a, b, _ := l.s.Administrators()
	for i, side := range bothSides() {
		figure, proposal := 29-i, ""
		l.stopsAt(side, staffStep{"a change proposed", func(armed func(int)) harness.Answer {
			armed(2) // the nonce is the first
			return a.Fresh("changes", map[string]any{"kind": "budgets", "budgets": map[string]int{"base": figure}})
		}, func() string {
			n := 0
			for id, is := range proposals(b) {
				if is == "budgets waiting" {
					n, proposal = n+1, id
				}
			}
			return missing(n > 0, "no change waits") // whoever had no answer proposes it once more
		}, false})
		body := b.Approval(proposal)
		l.stopsAt(side, staffStep{"a change approved", func(armed func(int)) harness.Answer {
			armed(2)
			return b.Fresh("approve", body)
		}, func() string { return missing(proposals(a)[proposal] == "budgets approved", "it is not approved") }, false})
		l.s.Forward(24*time.Hour - time.Minute)
		if l.inForce("base") == figure {
			t.Fatalf("in force before its time")
		}
		l.s.Forward(time.Minute)
		l.stopsAt(side, staffStep{"a change that comes into force", func(armed func(int)) harness.Answer {
			armed(1)
			return l.s.Desk().Ask("POST", "sign-in/begin", map[string]any{})
		}, func() string { return missing(l.inForce("base") == figure, "it is not in force") }, true})
		for _, d := range []*harness.Desk{a, b} {
			d.Passkeys.Origin = l.s.StaffOrigin() // at another port, where all was started anew
			d.Must(d.SignIn(""))
		}
	}
}

// TestGlassCrash stops the three steps of a breaking of the glass. The view that nobody
// got, because the vault ended behind its receipt, is spent and on record, once.
func TestGlassCrash(t *testing.T) {
	t.Parallel()
	l := newLane(t, nil)
	admin, second, _ := l.s.Administrators()
	w := l.s.Shift(admin, second)
	waiting := func(d *harness.Desk) (left int, states map[string]string) {
		var got struct {
			Left int `json:"left_today"`
			Rows []struct {
				ID    string `json:"request_id"`
				State string `json:"state"`
			} `json:"requests"`
		}
		if a := d.At("GET", harness.GlassPath+"/waiting", nil); json.Unmarshal(a.Body, &got) != nil || !a.OK() {
			t.Fatal(a.Text())
		}
		states = map[string]string{}
		for _, r := range got.Rows {
			states[r.ID] = r.State
		}
		return got.Left, states
	}
	for i, side := range bothSides() {
		ref := l.person().ref
		var asked harness.Answer
		l.stopsAt(side, staffStep{"a request to break the glass", func(armed func(int)) harness.Answer {
			armed(2)
			asked = w.A.GlassAsk(ref, "unconscious")
			return asked
		}, func() string {
			_, states := waiting(w.B)
			return missing(len(states) > 0, "nothing waits")
		}, false})
		id := asked.Field("request_id")
		l.stopsAt(side, staffStep{"its approval", func(armed func(int)) harness.Answer {
			armed(2)
			return w.B.TouchedBy(harness.GlassPath+"/approve", harness.GlassApproval(asked), w.B)
		}, func() string {
			_, states := waiting(w.A)
			return missing(states[id] == "approved", "it is not approved")
		}, false})
		l.stopsAt(side, staffStep{"the view", func(armed func(int)) harness.Answer {
			armed(1)
			return w.A.GlassOpen(id)
		}, func() string {
			left, states := waiting(w.A)
			return missing(left == 1-i && states[id] == "", fmt.Sprintf("%d openings are left, and the request is %q", left, states[id]))
		}, false})
	}
}

// TestDepartmentCrash stops the approval of a department, and a sign-in there that makes a
// new member.
func TestDepartmentCrash(t *testing.T) {
	t.Parallel()
	l := newLane(t, nil, harness.DepartmentArgs(t)...)
	admin := l.s.FirstAdministrator("Nita Test")
	p := l.s.Provider()
	for _, side := range bothSides() {
		proposal := harness.Waiting(l.s.SetDepartment(p, nil))
		l.s.Forward(24*time.Hour + time.Minute)
		admin.Must(admin.SignIn(""))
		body := admin.Approval(proposal)
		l.stopsAt(side, staffStep{"a department approved", func(armed func(int)) harness.Answer {
			armed(2)
			return admin.Fresh("approve", body)
		}, func() string {
			out, _ := l.s.Command("department", "list", "--data", l.s.Data)
			return missing(strings.Contains(out, "waits none") && !strings.Contains(out, "in force none"), out)
		}, false})
		p.Login(map[string]any{"sub": "vani " + side, "roles": []string{"jab-7"}, "name": "Vani Test"})
		vani := l.s.Desk()
		members := l.s.Cell(harness.VaultDB, "SELECT count(*) + 1 FROM staff_member")
		l.stopsAt(side, staffStep{"a first sign-in at a department", func(armed func(int)) harness.Answer {
			vani.NewKey()
			b, a := vani.AtDepartment()
			if !a.OK() {
				return a
			}
			armed(1)
			return vani.Brings(b, "")
		}, func() string {
			n := l.s.Cell(harness.VaultDB, "SELECT count(*) FROM staff_member")
			return missing(n == members, n+" members, want "+members)
		}, false})
		if a := vani.Ask("GET", "me", nil); !a.OK() {
			t.Errorf("%s: the session: %s", side, a.Text())
		}
		if out, code := l.s.Command("department", "end", "--data", l.s.Data, "--id", "health"); code != 0 {
			t.Fatal(out)
		}
	}
}

// TestDeviceCrash stops a code on a device that is new to a household, and its PIN.
func TestDeviceCrash(t *testing.T) {
	t.Parallel()
	l := newLane(t, nil)
	for _, side := range bothSides() {
		mobile := l.s.Mobile()
		own := l.s.Client().SignInOn(l.s.DeviceKey(), mobile)
		own.Enrol("Asha Test")
		key := l.s.DeviceKey()
		l.stopsAt(side, staffStep{"a code on a new device", func(armed func(int)) harness.Answer {
			c := l.s.Client()
			txn, code := c.CodeOn(key, mobile)
			l.quiet()
			armed(1)
			_, a := c.ConfirmOn(key, txn, code)
			return a
		}, func() string {
			got := own.Devices().Devices
			return missing(len(got) == 2, fmt.Sprintf("%d devices", len(got)))
		}, false})
		l.stopsAt(side, staffStep{"a PIN", func(armed func(int)) harness.Answer {
			armed(1)
			return own.Must("POST", "/v3/pin", map[string]any{"pin": "482913"})
		}, func() string { return missing(own.Devices().PIN == "set", "the PIN is "+own.Devices().PIN) }, false})
	}
}
