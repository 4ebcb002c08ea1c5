package civil

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/fault"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text        string
		indian, iso string // what it reads as, in ISO 8601; "" for refused
	}{
		{"24-11-2026", "2026-11-24", ""},
		{"4-1-2026", "2026-01-04", ""},
		{"04-1-2026", "2026-01-04", ""},
		{"24-11-26", "2026-11-24", ""},
		{"1-1-00", "2000-01-01", ""},
		{"31-12-9999", "9999-12-31", ""},
		{"01-01-0001", "0001-01-01", ""},
		{"29-02-2024", "2024-02-29", ""},
		{"29-02-2025", "", ""},
		{"29-02-1900", "", ""}, // no leap year
		{"29-02-2000", "2000-02-29", ""},
		{"31-04-2026", "", ""},
		{"00-01-2026", "", ""},
		{"01-00-2026", "", ""},
		{"01-13-2026", "", ""},
		{"32-01-2026", "", ""},
		{"01-01-0000", "", ""},
		{"01-01-026", "", ""},
		{"01-01-6", "", ""},
		{"001-01-2026", "", ""},
		{"24/11/2026", "", ""},
		{"24-11", "", ""},
		{"24-11-2026-1", "", ""},
		{"+4-11-2026", "", ""},
		{"-4-11-2026", "", ""},
		{" 24-11-26", "", ""},
		{"24-11-२०", "", ""},
		{"", "", ""},
		{"--", "", ""},
		{strings.Repeat("1", 1000), "", ""},
		{"2026-11-24", "", "2026-11-24"},
		{"2026-1-24", "", ""},
		{"2026-11-31", "", ""},
		{"2026x11-24", "", ""},
		{"0000-01-01", "", ""},
	} {
		for _, p := range []struct {
			parse func(string) (Date, error)
			want  string
		}{{ParseIndian, c.indian}, {ParseISO, c.iso}} {
			d, err := p.parse(c.text)
			if d.String() != p.want || (err == nil) != (p.want != "") || (err != nil && !fault.Is(err, fault.Invalid)) {
				t.Errorf("%q: %v, %v, want %q", c.text, d, err, p.want)
			}
		}
	}
}

func TestForms(t *testing.T) {
	d := Date{2026, 3, 4}
	if d.String() != "2026-03-04" || d.Indian() != "04-03-2026" {
		t.Error(d, d.Indian())
	}
	if z := (Date{}); !z.IsZero() || z.Valid() || z.String() != "" || z.Indian() != "" {
		t.Errorf("the zero date: %q %q", z, z.Indian())
	}
	var in struct{ A, B Date }
	raw := `{"A":"2026-03-04","B":""}`
	if err := json.Unmarshal([]byte(raw), &in); err != nil || in.A != d || !in.B.IsZero() {
		t.Errorf("%+v, %v", in, err)
	}
	if out, err := json.Marshal(in); err != nil || string(out) != raw {
		t.Errorf("%s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"A":"04-03-2026"}`), &in); !fault.Is(err, fault.Invalid) {
		t.Errorf("the Indian form as ISO: %v", err)
	}
}

func TestArithmetic(t *testing.T) {
	for _, c := range []struct {
		from Date
		days int
		to   Date
	}{
		{Date{2026, 2, 28}, 1, Date{2026, 3, 1}},
		{Date{2024, 2, 28}, 1, Date{2024, 2, 29}},
		{Date{2026, 12, 31}, 1, Date{2027, 1, 1}},
		{Date{2026, 11, 24}, 84, Date{2027, 2, 16}},
		{Date{2026, 3, 1}, -1, Date{2026, 2, 28}},
		{Date{2026, 3, 1}, 0, Date{2026, 3, 1}},
		{Date{1, 1, 1}, 3652058, Date{9999, 12, 31}}, // all days there are
	} {
		if got := c.from.AddDays(c.days); got != c.to {
			t.Errorf("%v and %d days: %v, want %v", c.from, c.days, got, c.to)
		}
		if got := c.to.DaysSince(c.from); got != c.days {
			t.Errorf("from %v to %v: %d days, want %d", c.from, c.to, got, c.days)
		}
		if got := c.from.DaysSince(c.to); got != -c.days {
			t.Errorf("from %v to %v: %d days, want %d", c.to, c.from, got, -c.days)
		}
		if c.from.Before(c.to) != (c.days > 0) || c.from.After(c.to) != (c.days < 0) || (c.from.Compare(c.to) == 0) != (c.days == 0) {
			t.Errorf("%v and %v are in the wrong order", c.from, c.to)
		}
	}
}

// TestZones: a day is the day where the person stands.
func TestZones(t *testing.T) {
	india := time.FixedZone("IST", 5*3600+1800)
	at := time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)
	if Of(at) != (Date{2026, 11, 24}) || Of(at.In(india)) != (Date{2026, 11, 25}) {
		t.Error(Of(at), Of(at.In(india)))
	}
	if got := (Date{2026, 11, 25}).In(india); !got.Equal(time.Date(2026, 11, 24, 18, 30, 0, 0, time.UTC)) {
		t.Error(got)
	}
	for _, bad := range []Date{{2026, 2, 30}, {2026, 13, 1}, {2026, 0, 1}, {2026, 1, 0}, {0, 1, 1}, {10000, 1, 1}, {-1, 1, 1}} {
		if bad.Valid() {
			t.Errorf("%+v is valid", bad)
		}
	}
}

// FuzzParseIndian: what is taken is a real day, in one of the three forms, and
// reads back as itself.
func FuzzParseIndian(f *testing.F) {
	for _, s := range []string{"24-11-2026", "4-1-2026", "24-11-26", "29-02-2023", "00-00-0000", "1-1-", "2026-11-24", "१-१-२०२६", "\xff-1-2026"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseIndian(s)
		if err != nil {
			if !d.IsZero() || !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v, %v", s, d, err)
			}
			return
		}
		if len(s) < 6 || len(s) > 10 || strings.Count(s, "-") != 2 || strings.Trim(s, "0123456789-") != "" || !d.Valid() {
			t.Fatalf("%q was taken as %v", s, d)
		}
		if again, err := ParseIndian(d.Indian()); err != nil || again != d {
			t.Errorf("%q: %v reads back as %v, %v", s, d, again, err)
		}
		if iso, err := ParseISO(d.String()); err != nil || iso != d {
			t.Errorf("%q: %v reads back from ISO as %v, %v", s, d, iso, err)
		}
	})
}
