package rules

import (
	"strings"
	"testing"
	"time"

	"tikakosh/internal/civil"
)

func day(s string) civil.Date {
	d, err := civil.ParseISO(s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestEvaluate(t *testing.T) {
	adult := Birth{Year: 1980}
	first := func(p, d string) []Given { return []Given{{p, 1, day(d), StatusConfirmed}} }
	two := func(p, d1, d2 string) []Given {
		return []Given{{p, 1, day(d1), StatusConfirmed}, {p, 2, day(d2), StatusConfirmed}}
	}
	for name, c := range map[string]struct {
		history []Given
		birth   Birth
		want    Want
		code    string
	}{
		"first dose":                    {nil, adult, Want{"COVISHIELD", 1, day("2026-01-01"), 18, 0}, ""},
		"second before first":           {nil, adult, Want{"COVISHIELD", 2, day("2026-01-01"), 0, 0}, "wrong_dose"},
		"first again":                   {first("COVISHIELD", "2026-01-01"), adult, Want{"COVISHIELD", 1, day("2026-06-01"), 0, 0}, "wrong_dose"},
		"covishield day 83":             {first("COVISHIELD", "2026-01-01"), adult, Want{"COVISHIELD", 2, day("2026-03-25"), 0, 0}, "too_early"},
		"covishield day 84":             {first("COVISHIELD", "2026-01-01"), adult, Want{"COVISHIELD", 2, day("2026-03-26"), 0, 0}, ""},
		"covaxin day 27":                {first("COVAXIN", "2026-01-01"), adult, Want{"COVAXIN", 2, day("2026-01-28"), 0, 0}, "too_early"},
		"covaxin day 28":                {first("COVAXIN", "2026-01-01"), adult, Want{"COVAXIN", 2, day("2026-01-29"), 0, 0}, ""},
		"sputnik day 21":                {first("SPUTNIK V", "2026-01-01"), adult, Want{"SPUTNIK V", 2, day("2026-01-22"), 0, 0}, ""},
		"corbevax day 28":               {first("CORBEVAX", "2026-01-01"), Birth{Year: 2013}, Want{"CORBEVAX", 2, day("2026-01-29"), 12, 14}, ""},
		"other product":                 {first("COVISHIELD", "2026-01-01"), adult, Want{"COVAXIN", 2, day("2026-06-01"), 0, 0}, "other_product"},
		"very late is welcome":          {first("COVAXIN", "2021-01-01"), adult, Want{"COVAXIN", 2, day("2026-01-29"), 0, 0}, ""},
		"precaution day 181":            {two("COVAXIN", "2025-01-01", "2025-02-01"), adult, Want{"COVAXIN", 3, day("2025-08-01"), 0, 0}, "too_early"},
		"precaution day 182":            {two("COVAXIN", "2025-01-01", "2025-02-01"), adult, Want{"COVAXIN", 3, day("2025-08-02"), 0, 0}, ""},
		"precaution under 18":           {two("COVAXIN", "2025-01-01", "2025-02-01"), Birth{Year: 2010}, Want{"COVAXIN", 3, day("2025-12-02"), 0, 0}, "too_young"},
		"zycov third":                   {two("ZyCoV-D", "2025-01-01", "2025-01-29"), adult, Want{"ZyCoV-D", 3, day("2025-02-26"), 0, 0}, ""},
		"complete":                      {append(two("COVAXIN", "2025-01-01", "2025-02-01"), Given{"COVAXIN", 3, day("2025-10-01"), StatusConfirmed}), adult, Want{"COVAXIN", 4, day("2026-10-01"), 0, 0}, "complete"},
		"too young for the product":     {nil, Birth{Year: 2012}, Want{"COVAXIN", 1, day("2026-01-01"), 0, 0}, "too_young"},
		"fifteen by year":               {nil, Birth{Year: 2011}, Want{"COVAXIN", 1, day("2026-01-01"), 15, 17}, ""},
		"fifteen tomorrow":              {nil, Birth{Year: 2011, Date: day("2011-01-02")}, Want{"COVAXIN", 1, day("2026-01-01"), 0, 0}, "too_young"},
		"too young for the session":     {nil, Birth{Year: 2000}, Want{"COVAXIN", 1, day("2026-01-01"), 45, 0}, "too_young"},
		"too old for the session":       {nil, adult, Want{"COVAXIN", 1, day("2026-01-01"), 15, 17}, "too_old"},
		"before the programme":          {nil, adult, Want{"COVISHIELD", 1, day("2021-01-15"), 0, 0}, "too_early"},
		"first day of the programme":    {nil, adult, Want{"COVISHIELD", 1, day("2021-01-16"), 0, 0}, ""},
		"covishield in 2021, day 28":    {first("COVISHIELD", "2021-01-16"), adult, Want{"COVISHIELD", 2, day("2021-02-13"), 0, 0}, ""},
		"covishield in 2021, day 27":    {first("COVISHIELD", "2021-01-16"), adult, Want{"COVISHIELD", 2, day("2021-02-12"), 0, 0}, "too_early"},
		"last day of eight weeks":       {first("COVISHIELD", "2021-04-01"), adult, Want{"COVISHIELD", 2, day("2021-05-12"), 0, 0}, ""},
		"first day of twelve weeks":     {first("COVISHIELD", "2021-04-01"), adult, Want{"COVISHIELD", 2, day("2021-05-13"), 0, 0}, "too_early"},
		"precaution in 2021":            {two("COVAXIN", "2021-01-16", "2021-02-13"), adult, Want{"COVAXIN", 3, day("2021-12-31"), 0, 0}, "complete"},
		"precaution at 38 weeks 6 days": {two("COVAXIN", "2021-03-01", "2021-05-01"), adult, Want{"COVAXIN", 3, day("2022-01-28"), 0, 0}, "too_early"},
		"precaution at 39 weeks":        {two("COVAXIN", "2021-03-01", "2021-05-01"), adult, Want{"COVAXIN", 3, day("2022-01-29"), 0, 0}, ""},
		"sputnik day 20":                {first("SPUTNIK V", "2026-01-01"), adult, Want{"SPUTNIK V", 2, day("2026-01-21"), 0, 0}, "too_early"},
		"covovax day 20":                {first("COVOVAX", "2026-01-01"), adult, Want{"COVOVAX", 2, day("2026-01-21"), 0, 0}, "too_early"},
		"covovax day 21":                {first("COVOVAX", "2026-01-01"), adult, Want{"COVOVAX", 2, day("2026-01-22"), 0, 0}, ""},
		"corbevax day 27":               {first("CORBEVAX", "2026-01-01"), Birth{Year: 2013}, Want{"CORBEVAX", 2, day("2026-01-28"), 12, 14}, "too_early"},
		"corbevax at eleven":            {nil, Birth{Year: 2015}, Want{"CORBEVAX", 1, day("2026-01-28"), 0, 0}, "too_young"},
		"corbevax at twelve":            {nil, Birth{Year: 2014}, Want{"CORBEVAX", 1, day("2026-01-28"), 0, 0}, ""},
		"corbevax at fourteen":          {nil, Birth{Year: 2012}, Want{"CORBEVAX", 1, day("2026-01-28"), 0, 0}, ""},
		"corbevax at fifteen":           {nil, Birth{Year: 2011}, Want{"CORBEVAX", 1, day("2026-01-28"), 0, 0}, "other_product"},
		"corbevax begun at fourteen":    {first("CORBEVAX", "2025-12-01"), Birth{Year: 2011}, Want{"CORBEVAX", 2, day("2026-01-28"), 0, 0}, ""},
		"covovax at seventeen":          {nil, Birth{Year: 2009}, Want{"COVOVAX", 1, day("2026-01-28"), 0, 0}, "other_product"},
		"covovax at eighteen":           {nil, Birth{Year: 2008}, Want{"COVOVAX", 1, day("2026-01-28"), 0, 0}, ""},
		"covaxin at seventeen":          {nil, Birth{Year: 2009}, Want{"COVAXIN", 1, day("2026-01-28"), 0, 0}, ""},
		"covaxin at seventeen in 2021":  {nil, Birth{Year: 2004}, Want{"COVAXIN", 1, day("2021-12-31"), 0, 0}, "too_young"},
		"covishield at seventeen":       {nil, Birth{Year: 2009}, Want{"COVISHIELD", 1, day("2026-01-28"), 0, 0}, "too_young"},
		"zycov second early":            {first("ZyCoV-D", "2025-01-01"), adult, Want{"ZyCoV-D", 2, day("2025-01-28"), 0, 0}, "too_early"},
		"zycov fourth":                  {append(two("ZyCoV-D", "2025-01-01", "2025-01-29"), Given{"ZyCoV-D", 3, day("2025-03-01"), StatusConfirmed}), adult, Want{"ZyCoV-D", 4, day("2025-12-26"), 0, 0}, "complete"},
		"precaution of another product": {two("COVAXIN", "2025-01-01", "2025-02-01"), adult, Want{"COVISHIELD", 3, day("2025-12-02"), 0, 0}, "other_product"},
		"day before the first dose":     {first("COVAXIN", "2026-01-01"), adult, Want{"COVAXIN", 2, day("2025-12-31"), 0, 0}, "too_early"},
		"history out of order":          {[]Given{{"COVAXIN", 2, day("2025-02-01"), StatusConfirmed}, {"COVAXIN", 1, day("2025-01-01"), StatusConfirmed}}, adult, Want{"COVAXIN", 3, day("2025-08-01"), 0, 0}, "too_early"},
		"dose zero":                     {nil, adult, Want{"COVAXIN", 0, day("2026-01-01"), 0, 0}, "wrong_dose"},
		"no day":                        {nil, adult, Want{"COVAXIN", 1, civil.Date{}, 0, 0}, "too_early"},
		"seventeen at its upper limit":  {nil, Birth{Year: 2009}, Want{"COVAXIN", 1, day("2026-01-01"), 15, 17}, ""},
		"eighteen over the limit":       {nil, Birth{Year: 2008}, Want{"COVAXIN", 1, day("2026-01-01"), 15, 17}, "too_old"},
		"precaution at eighteen":        {two("COVAXIN", "2025-01-01", "2025-02-01"), Birth{Year: 2008}, Want{"COVAXIN", 3, day("2026-01-02"), 0, 0}, ""},
		"unknown":                       {nil, adult, Want{"NOTHING", 1, day("2026-01-01"), 0, 0}, "unknown_product"},
		"unconfirmed does not count":    {[]Given{{"COVAXIN", 1, day("2026-01-01"), StatusUnconfirmed}}, adult, Want{"COVAXIN", 1, day("2026-01-02"), 0, 0}, ""},
		"revoked does not count":        {[]Given{{"COVAXIN", 1, day("2026-01-01"), StatusRevoked}}, adult, Want{"COVAXIN", 1, day("2026-01-02"), 0, 0}, ""},
		"another programme is separate": {first("STAMARIL", "2026-01-01"), adult, Want{"COVAXIN", 1, day("2026-01-02"), 0, 0}, ""},
	} {
		d := Evaluate(c.history, c.birth, c.want)
		if d.Code != c.code || d.OK != (c.code == "") || c.code == CodeTooEarly && d.Earliest.IsZero() {
			t.Errorf("%s: %+v, want %q", name, d, c.code)
		}
	}
}

func TestStatus(t *testing.T) {
	g := func(p string, n int) Given { return Given{p, n, day("2026-01-01"), StatusConfirmed} }
	for _, c := range []struct {
		h    []Given
		want string
	}{{nil, NotVaccinated}, {[]Given{g("COVAXIN", 1)}, PartiallyVaccinated}, {[]Given{g("COVAXIN", 1), g("COVAXIN", 2)}, Vaccinated},
		{[]Given{g("ZyCoV-D", 1), g("ZyCoV-D", 2)}, PartiallyVaccinated}, {[]Given{g("STAMARIL", 1)}, NotVaccinated}} {
		if got := Status(c.h); got != c.want {
			t.Errorf("%v: %s", c.h, got)
		}
	}
}

func TestProductsAreSound(t *testing.T) {
	for _, p := range Products() {
		if p.Code == "" || p.Manufacturer == "" || p.CVX == "" || len(p.Antigens) == 0 || p.PrimaryDoses() == 0 || p.Route == "" || p.Quantity == "" {
			t.Errorf("%+v", p)
		}
		for i, s := range p.Steps {
			if s.Dose != i+1 || (i > 0 && s.MinDays == 0) || (s.MaxDays != 0 && s.MaxDays < s.MinDays) {
				t.Errorf("%s step %+v", p.Code, s)
			}
		}
	}
	for _, list := range [][]Choice{IDTypes(), Genders()} {
		for i, c := range list {
			if c.ID != i+1 || c.Text == "" || c.TextHi == "" {
				t.Errorf("%+v", c)
			}
		}
	}
}

func TestBirthAndEvent(t *testing.T) {
	today := day("2026-11-24")
	for _, c := range []struct {
		b  Birth
		ok bool
	}{{Birth{Year: 1896}, true}, {Birth{Year: 1895}, false}, {Birth{Year: 2027}, false}, {Birth{Year: 2026, Date: day("2026-11-25")}, false},
		{Birth{Year: 2000, Date: day("2001-01-01")}, false}, {Birth{Year: 2000, Date: day("2000-02-29")}, true}} {
		if (c.b.Check(today) == nil) != c.ok {
			t.Errorf("%+v", c.b)
		}
	}
	p, _ := LookupProduct("COVAXIN")
	at := time.Date(2026, 11, 24, 19, 0, 0, 0, time.UTC).UnixMilli()
	if e := NewDoseEvent("e", p, "L1", 1, at, "Asia/Kolkata", SourceAdministered, "s"); e.Day() != day("2026-11-25") || e.Status != StatusConfirmed {
		t.Errorf("%+v: the day at the place counts", e)
	}
	if _, err := ParseLot("a1-2"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", strings.Repeat("A", 21), "=1", "a b"} {
		if _, err := ParseLot(bad); err == nil {
			t.Errorf("lot %q accepted", bad)
		}
	}
}
