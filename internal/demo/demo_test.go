package demo_test

import (
	"math"
	"reflect"
	"testing"

	"tikakosh/internal/civil"
	"tikakosh/internal/demo"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/vault"
)

func programme(t *testing.T, seed uint64) *demo.Programme {
	t.Helper()
	p, err := places.Load()
	if err != nil {
		t.Fatal(err)
	}
	return demo.New(p, demo.Options{Seed: seed, Today: civil.Date{Year: 2026, Month: 11, Day: 24}, Centres: 500, People: 5000, Days: 14})
}

func households(g *demo.Programme) (out []vault.SeedHousehold) {
	g.Households(func(h vault.SeedHousehold) bool { out = append(out, h); return true })
	return out
}

func TestSameSeedSameProgramme(t *testing.T) {
	a, b := programme(t, 1), programme(t, 1)
	if !reflect.DeepEqual(a.Centres(), b.Centres()) || !reflect.DeepEqual(a.Sessions(), b.Sessions()) || !reflect.DeepEqual(households(a), households(b)) {
		t.Fatal("the same seed gave another programme")
	}
	if reflect.DeepEqual(households(a), households(programme(t, 2))) {
		t.Fatal("another seed gave the same programme")
	}
}

func TestEverybodyIsSynthetic(t *testing.T) {
	g := programme(t, 1)
	people, doses, small, alone := 0, 0, 0, 0
	ids := map[string]bool{}
	mobiles := map[string]bool{}
	for _, h := range households(g) {
		if h.Mobile == "" {
			alone++
			if len(h.Members) != 1 {
				t.Fatalf("%d people without a mobile together", len(h.Members))
			}
		} else if m, err := rules.ParseMobile(h.Mobile, true); err != nil || m != h.Mobile || m[0] > '5' || mobiles[m] {
			t.Fatalf("mobile %s", h.Mobile)
		}
		mobiles[h.Mobile] = true
		if len(h.Members) < 1 || len(h.Members) > 6 {
			t.Fatalf("%d members", len(h.Members))
		}
		for _, m := range h.Members {
			people++
			for _, n := range []string{m.Identity.Name, m.Identity.NameLocal} {
				if got, err := rules.NormalizeName(n); err != nil || got != n {
					t.Fatalf("name %q: %v", n, err)
				}
			}
			if _, err := rules.ParseIDNumber(m.Identity.IDType, m.Identity.IDNumber); err != nil {
				t.Fatal(err)
			}
			if ids[m.Identity.IDNumber] {
				t.Fatalf("id number %s twice", m.Identity.IDNumber)
			}
			ids[m.Identity.IDNumber] = true
			birth := rules.Birth{Year: m.Identity.BirthYear}
			if birth.AgeOn(civil.Date{Year: 2026, Month: 11, Day: 24}) < 12 {
				small++
			}
			if birth.AgeOn(civil.Date{Year: 2026, Month: 11, Day: 24}) < 18 && m.Identity.Guardian == "" {
				t.Fatal("a minor without guardian")
			}
			var history []rules.Given
			for _, d := range m.Doses {
				doses++
				if v := rules.Evaluate(history, birth, rules.Want{Product: d.Product, Dose: d.Sequence, Day: d.Given}); !v.OK {
					t.Fatalf("dose %+v: %s", d, v.Code)
				}
				history = append(history, rules.Given{Product: d.Product, Dose: d.Sequence, Day: d.Given, Status: rules.StatusConfirmed})
			}
		}
	}
	if people != 5000 || doses < 2000 || small < 300 || alone < 20 {
		t.Fatalf("%d people, %d doses, %d under 12, %d without a mobile", people, doses, small, alone)
	}
}

func TestOpenAtEveryHour(t *testing.T) {
	g := programme(t, 1)
	days := map[civil.Date]bool{}
	for _, s := range g.Sessions() {
		if len(s.Slots) == 0 || s.Cap1 <= 0 || (s.MinAge < 12 && s.Product != "STAMARIL") {
			t.Fatalf("%+v", s)
		}
		if s.Centre == demo.FirstCentre {
			if s.BookingCloses != scheduling.AllDay {
				t.Fatal("the first centre closes")
			}
			days[s.Day] = true
		}
	}
	if len(days) != 14 || len(g.Centres()) != 500 {
		t.Fatalf("%d days, %d centres", len(days), len(g.Centres()))
	}
}

// TestCentresStandInTheirDistricts: a map of the demo looks like the country.
func TestCentresStandInTheirDistricts(t *testing.T) {
	p, err := places.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range programme(t, 1).Centres() {
		d, ok := p.District(c.DistrictID)
		if !ok || math.Abs(c.Lat-d.Lat) > 0.17 || math.Abs(c.Long-d.Long) > 0.17 || c.Lat < 6 || c.Lat > 37 || c.Long < 68 || c.Long > 98 {
			t.Fatalf("%+v is not in %+v", c, d)
		}
	}
}
