package crash

import (
	"encoding/json"
	"fmt"
	"time"

	"tikakosh/test/harness"
)

// doseActs are a dose that is recorded without evidence, and its person's answer
// to one.
func doseActs() []act {
	return []act{
		{name: "write", points: []string{"write:after-store", "write:after-vault", "write:after-seal"}, scene: (*lane).person, do: write, done: written},
		{name: "confirm", points: []string{"open:after-receipt", "amend:after-vault", "amend:after-store"}, scene: (*lane).unconfirmed, do: confirm, done: confirmed},
	}
}

// write records a dose without the person's code. Each time the device signs
// anew, as one does that got no answer.
func write(l *lane, c *harness.Client, w *who) (harness.Answer, error) {
	form := harness.DoseForm(l.day, w.ref, "", 1)
	delete(form, "security_code")
	raw, err := json.Marshal(form)
	if err != nil {
		return harness.Answer{}, err
	}
	proof, err := l.vaccinator.Sign(harness.Claims("POST", l.s.API+harness.VaccinatePath, raw, l.s.Now()))
	if err != nil {
		return harness.Answer{}, err
	}
	return c.Do("POST", harness.VaccinatePath, raw, "DPoP", proof)
}

// written: the worker has brought it into the record, once.
func written(_ *lane, w *who) string { return inStatus(w, "unconfirmed") }

func confirmed(_ *lane, w *who) string { return inStatus(w, "confirmed") }

// inStatus waits for the one dose event that a person should have.
func inStatus(w *who, want string) (fault string) {
	for range 150 {
		got, err := w.c.Do("GET", harness.DosesPath, nil)
		var list struct {
			Doses []harness.DoseEvent `json:"doses"`
		}
		switch {
		case err != nil || !got.OK() || json.Unmarshal(got.Body, &list) != nil:
			fault = fmt.Sprintf("the doses are not to be seen: %v %s", err, got.Text())
		case len(list.Doses) == 1 && list.Doses[0].Status == want:
			return ""
		default:
			fault = fmt.Sprintf("the dose events are %+v, want one that is %s", list.Doses, want)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fault
}

// unconfirmed is a person with a dose that waits for their answer.
func (l *lane) unconfirmed() *who {
	l.t.Helper()
	w := l.person()
	if a, err := write(l, l.s.Client(), w); err != nil || !a.OK() {
		l.t.Fatalf("a dose without evidence: %v %s", err, a.Text())
	}
	w.code = w.c.AwaitDose(w.ref, "unconfirmed").Event
	return w
}

func confirm(_ *lane, c *harness.Client, w *who) (harness.Answer, error) {
	return c.Do("POST", harness.ConfirmPath, map[string]any{"beneficiary_reference_id": w.ref, "event_id": w.code})
}
