package crash

import (
	"encoding/json"
	"time"

	"tikakosh/test/harness"
)

// relinkActs are those of a lost phone: the second signature, the old number's no, and the
// end at the new number.
func relinkActs() []act {
	off := []string{"relink-delay", "glass-cap"} // three days and two a day are not what is crashed
	return []act{
		{name: "relink-agree", commits: map[string]int{"vault": 2}, scene: (*lane).askedFor, do: agree, done: agreed, gone: true, off: off},
		{name: "relink-stop", commits: map[string]int{"vault": 1}, scene: (*lane).toBeMoved, do: stopMove, done: stopped, gone: true, off: off},
		{name: "relink", points: []string{"relink:after-vault", "link:after-member"}, commits: map[string]int{"web": 2, "vault": 2},
			scene: (*lane).newNumber, do: takeOver, result: "beneficiary_reference_id", done: takenOver, off: off},
	}
}

// atWork has both members of staff sign in: a case moves the clock on.
func (l *lane) atWork() *harness.Shift {
	l.t.Helper()
	if l.shift == nil {
		a, b, _ := l.s.Administrators()
		w := l.s.Shift(a, b)
		l.shift, l.clock = &w, time.Until(l.s.Now()) // the administrators took a day or two to come together
		return l.shift
	}
	for _, d := range []*harness.Desk{l.shift.A, l.shift.B} {
		d.Must(d.SignIn(""))
	}
	return l.shift
}

// askedFor is somebody whom the first member of staff has asked to move.
func (l *lane) askedFor() *who {
	l.t.Helper()
	s := l.atWork()
	w := &who{lost: l.s.Lost(1)}
	w.c, w.ref = w.lost.Holder, w.lost.Reference
	w.request = s.A.Must(s.A.RelinkAsk(w.lost))
	return w
}

func agree(l *lane, _ *harness.Client, w *who) (harness.Answer, error) {
	return l.shift.B.RelinkAgree(w.request), nil
}

// moves is how many waiting moves the old number sees.
func moves(w *who) (int, string) {
	a, err := w.c.Do("GET", harness.MovesPath, nil)
	var got struct {
		Relinks []struct {
			Request string `json:"request_id"`
		} `json:"relinks"`
	}
	if err != nil || !a.OK() || json.Unmarshal(a.Body, &got) != nil {
		return 0, "the list of what waits is not to be had: " + a.Text()
	}
	return len(got.Relinks), ""
}

func agreed(_ *lane, w *who) string {
	n, fault := moves(w)
	if fault == "" && n != 1 {
		fault = "not exactly one move waits"
	}
	return fault
}

// toBeMoved is somebody whom two have signed for.
func (l *lane) toBeMoved() *who {
	l.t.Helper()
	w := l.askedFor()
	l.shift.B.Must(l.shift.B.RelinkAgree(w.request))
	return w
}

func stopMove(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", harness.MovesPath+"/stop", map[string]any{"request_id": w.request.Field("request_id")})
}

func stopped(_ *lane, w *who) string {
	n, fault := moves(w)
	if fault == "" && n != 0 {
		fault = "the move still waits"
	}
	return fault
}

// newNumber is the session by the new number.
func (l *lane) newNumber() *who {
	l.t.Helper()
	w := l.toBeMoved()
	w.c = l.s.Client().SignIn(w.lost.New)
	return w
}

func takeOver(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", harness.MovesPath+"/finish", map[string]any{"beneficiary_reference_id": w.lost.Reference})
}

func takenOver(_ *lane, w *who) string {
	p, fault := look(w, 1, 0)
	if fault == "" && p.Reference != w.lost.Reference {
		fault = "another person was moved"
	}
	return fault
}
