package portal

import (
	"testing"
	"unicode/utf8"
)

// TestTypedDay: days as people type them, with the digits of their script.
func TestTypedDay(t *testing.T) {
	for typed, want := range map[string]string{"03-01-2026": "03-01-2026", "3/1/2026": "03-01-2026", "३.१.२०२६": "03-01-2026", "31-02-2026": "", "2026": "", "": "", "a-b-c": "", "1-1-26": ""} {
		if got, ok := typedDay(typed); (want == "") == ok || (ok && got != want) {
			t.Errorf("%q: %q %v", typed, got, ok)
		}
	}
}

// FuzzTypedDay: what is read as a day is one, and what is cut to be a reason stays text.
func FuzzTypedDay(f *testing.F) {
	for _, s := range []string{"03-01-2026", "३/१/२०२६", "٣ ١ ٢٠٢٦", "99-99-9999", "---"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		if day, ok := typedDay(typed); ok && len(day) != len("03-01-2026") {
			t.Errorf("%q: %q", typed, day)
		}
		if cut := short(typed); len(cut) > 200 || (utf8.ValidString(typed) && !utf8.ValidString(cut)) {
			t.Errorf("%q is cut to %q", typed, cut)
		}
	})
}
