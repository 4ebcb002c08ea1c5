package rules

import (
	"testing"
	"testing/quick"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

func confirmed(product string, days ...string) []Given {
	var out []Given
	for i, d := range days {
		out = append(out, Given{Product: product, Dose: i + 1, Day: day(d), Status: StatusConfirmed})
	}
	return out
}

func TestForecast(t *testing.T) {
	adult := Birth{Year: 1980}
	for name, c := range map[string]struct {
		history []Given
		birth   Birth
		today   string
		want    Due
	}{
		"newcomer":        {nil, adult, "2026-01-01", Due{State: DueNow, Dose: 1}},
		"child of eleven": {nil, Birth{Year: 2015}, "2026-01-01", Due{State: DueNone, Dose: 1}},
		"child of twelve": {nil, Birth{Year: 2014}, "2026-01-01", Due{State: DueNow, Dose: 1}},
		"before 2021":     {nil, adult, "2020-12-31", Due{State: DueNone, Dose: 1}},
		"eleven weeks after": {confirmed("COVISHIELD", "2026-01-01"), adult, "2026-03-25",
			Due{State: DueNotYet, Product: "COVISHIELD", Dose: 2, Earliest: day("2026-03-26"), From: day("2026-03-26"), Until: day("2026-04-23")}},
		"sixteen weeks after": {confirmed("COVISHIELD", "2026-01-01"), adult, "2026-04-23",
			Due{State: DueNow, Product: "COVISHIELD", Dose: 2, Earliest: day("2026-03-26"), From: day("2026-03-26"), Until: day("2026-04-23")}},
		"a day later": {confirmed("COVISHIELD", "2026-01-01"), adult, "2026-04-24",
			Due{State: DueOverdue, Product: "COVISHIELD", Dose: 2, Earliest: day("2026-03-26"), From: day("2026-03-26"), Until: day("2026-04-23")}},
		"precaution": {confirmed("COVAXIN", "2026-01-01", "2026-02-01"), adult, "2026-03-01",
			Due{State: DueNotYet, Product: "COVAXIN", Dose: 3, Earliest: day("2026-08-02"), From: day("2026-08-02")}},
		"a minor after two":   {confirmed("COVAXIN", "2026-01-01", "2026-02-01"), Birth{Year: 2010}, "2026-09-01", Due{State: DueDone}},
		"all three":           {confirmed("COVAXIN", "2025-01-01", "2025-02-01", "2025-09-01"), adult, "2026-09-01", Due{State: DueDone}},
		"two of ZyCoV-D":      {confirmed("ZyCoV-D", "2026-01-01", "2026-01-29"), adult, "2026-03-01", Due{State: DueNow, Product: "ZyCoV-D", Dose: 3, Earliest: day("2026-02-26"), From: day("2026-02-26")}},
		"unconfirmed is none": {[]Given{{"COVAXIN", 1, day("2026-01-01"), StatusUnconfirmed}}, adult, "2026-01-02", Due{State: DueNow, Dose: 1}},
	} {
		c.want.Programme = ProgrammeCOVID
		if got := Forecast(c.history, c.birth, day(c.today)); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
	if d := ForecastIn("NONE", nil, adult, day("2026-01-01")); d.State != DueNone {
		t.Errorf("%+v", d)
	}
	if d := ForecastIn(ProgrammeTravel, confirmed("STAMARIL", "2026-01-01"), adult, day("2026-06-01")); d.State != DueDone {
		t.Errorf("%+v", d)
	}
}

func TestDecisionSaysWhatIsNext(t *testing.T) {
	d := Evaluate(confirmed("COVISHIELD", "2026-01-01"), Birth{Year: 1980}, Want{Product: "COVISHIELD", Dose: 2, Day: day("2026-04-01")})
	if !d.OK || d.Earliest != day("2026-03-26") || d.Latest != day("2026-04-23") || d.Next.Dose != 3 || d.Next.Earliest != day("2026-09-30") {
		t.Errorf("%+v", d)
	}
	d = Evaluate(confirmed("COVISHIELD", "2026-01-01"), Birth{Year: 1980}, Want{Product: "COVAXIN", Dose: 2, Day: day("2026-04-01")})
	if d.OK || d.Next.Product != "COVISHIELD" || d.Next.State != DueNow {
		t.Errorf("%+v", d)
	}
}

// TestEarliestIsTheBoundary: for any product, history and day, what is too
// early becomes right on Earliest and not a day before.
func TestEarliestIsTheBoundary(t *testing.T) {
	products := Products()
	check := func(which, offset uint16, gap uint8) bool {
		p := products[int(which)%len(products)]
		birth := Birth{Year: 1970}
		var had []Given
		on := day("2023-01-01").AddDays(int(offset % 1000))
		for dose := 1; dose <= len(p.Steps); dose++ {
			d := Evaluate(had, birth, Want{Product: p.Code, Dose: dose, Day: on})
			if d.Code == CodeTooEarly {
				before := Evaluate(had, birth, Want{Product: p.Code, Dose: dose, Day: d.Earliest.AddDays(-1)})
				if before.Code != CodeTooEarly || before.Earliest != d.Earliest {
					return false
				}
				on = d.Earliest
				d = Evaluate(had, birth, Want{Product: p.Code, Dose: dose, Day: on})
			}
			if !d.OK {
				t.Logf("%s dose %d on %s: %+v", p.Code, dose, on, d)
				return false
			}
			had = append(had, Given{Product: p.Code, Dose: dose, Day: on, Status: StatusConfirmed})
			on = on.AddDays(int(gap))
		}
		return Evaluate(had, birth, Want{Product: p.Code, Dose: len(p.Steps) + 1, Day: on}).Code == CodeComplete
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

// TestScheduleFromBirth runs the shape of a schedule counted from birth (doses
// of 6, 10 and 14 weeks, up to a year) through the same decision.
func TestScheduleFromBirth(t *testing.T) {
	steps := []Step{
		{Dose: 1, Primary: true, BirthDays: Window{Min: 42, Due: 42, Max: 365}},
		{Dose: 2, Primary: true, MinDays: 28, SameProduct: true, BirthDays: Window{Min: 70, Due: 70, Max: 365}},
		{Dose: 3, Primary: true, MinDays: 28, SameProduct: true, BirthDays: Window{Min: 98, Due: 98, Max: 365}},
	}
	penta := Product{Code: "PENTA", Programme: "UIP", Steps: steps, Versions: []Version{{From: day("2011-12-14"), Steps: steps}}}
	born := Birth{Year: 2026, Date: day("2026-01-01")}
	one := []Given{{"PENTA", 1, day("2026-03-01"), StatusConfirmed}}
	for name, c := range map[string]struct {
		had      []Given
		birth    Birth
		dose     int
		day      string
		code     string
		earliest string
	}{
		"41 days":               {nil, born, 1, "2026-02-11", CodeTooEarly, "2026-02-12"},
		"42 days":               {nil, born, 1, "2026-02-12", "", "2026-02-12"},
		"a year":                {nil, born, 1, "2027-01-01", "", "2026-02-12"},
		"a year and a day":      {nil, born, 1, "2027-01-02", CodeTooOld, "2026-02-12"},
		"old enough, too soon":  {one, born, 2, "2026-03-28", CodeTooEarly, "2026-03-29"},
		"old enough, in time":   {one, born, 2, "2026-03-29", "", "2026-03-29"},
		"only the year: young":  {nil, Birth{Year: 2026}, 1, "2026-12-01", CodeTooEarly, "2027-02-11"},
		"only the year: so old": {nil, Birth{Year: 2026}, 1, "2027-01-02", CodeTooOld, "2027-02-11"},
	} {
		d := judge(penta, c.had, c.birth, Want{Product: "PENTA", Dose: c.dose, Day: day(c.day)})
		if d.Code != c.code || d.OK != (c.code == "") || d.Earliest != day(c.earliest) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestVersionsAreInOrder(t *testing.T) {
	for _, p := range Products() {
		last := p.Versions[len(p.Versions)-1]
		if last.MinAge != p.MinAge || last.MaxAge != p.MaxAge || len(last.Steps) != len(p.Steps) {
			t.Errorf("%s: the product is not its latest version", p.Code)
		}
		for i, v := range p.Versions {
			if !v.From.Valid() || i > 0 && !v.From.After(p.Versions[i-1].From) {
				t.Errorf("%s: version %d from %s", p.Code, i, v.From)
			}
			if got, ok := p.On(v.From); !ok || got.From != v.From {
				t.Errorf("%s: %s is in force from its own day", p.Code, v.From)
			}
			if primaryDoses(v.Steps) == 0 {
				t.Errorf("%s: no primary dose from %s", p.Code, v.From)
			}
		}
		if _, ok := p.On(p.Versions[0].From.AddDays(-1)); ok {
			t.Errorf("%s is in force before its first day", p.Code)
		}
	}
	for _, r := range AgeRules() {
		if !r.From.Valid() || r.MinAge > r.MaxAge || len(r.Products) == 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestProductsAreTheCallersOwn(t *testing.T) {
	p, _ := LookupProduct("COVAXIN")
	p.Antigens[0], p.Steps[1].MinDays = "x", 1
	if q, _ := LookupProduct("COVAXIN"); q.Antigens[0] != "SARS-CoV-2" || q.Steps[1].MinDays != 28 {
		t.Error("a caller changed the list")
	}
	if _, ok := LookupProduct("covaxin"); ok {
		t.Error("codes are exact")
	}
}

func TestAges(t *testing.T) {
	for _, c := range []struct {
		birth        Birth
		on           string
		age, atLeast int
		minor        bool
	}{
		{Birth{Year: 2008}, "2026-01-01", 18, 17, false},
		{Birth{Year: 2008}, "2026-12-31", 18, 18, false},
		{Birth{Year: 2009}, "2026-12-31", 17, 17, true},
		{Birth{Year: 2008, Date: day("2008-06-15")}, "2026-06-14", 17, 17, true},
		{Birth{Year: 2008, Date: day("2008-06-15")}, "2026-06-15", 18, 18, false},
		{Birth{Year: 2008, Date: day("2008-02-29")}, "2026-02-28", 17, 17, true},
		{Birth{Year: 2008, Date: day("2008-02-29")}, "2026-03-01", 18, 18, false},
		{Birth{Year: 2026}, "2026-01-01", 0, -1, true},
	} {
		on := day(c.on)
		if c.birth.AgeOn(on) != c.age || c.birth.AtLeastOn(on) != c.atLeast || c.birth.Minor(on) != c.minor {
			t.Errorf("%+v on %s: %d, %d, %v", c.birth, c.on, c.birth.AgeOn(on), c.birth.AtLeastOn(on), c.birth.Minor(on))
		}
	}
}

func TestDoseEventValidate(t *testing.T) {
	p, _ := LookupProduct("ZyCoV-D")
	at := time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC).UnixMilli()
	good := NewDoseEvent(id.Event(id.NewOrdered()), p, "ZC-01", 2, at, "Asia/Kolkata", SourceAdministered, "staff-1")
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	if good.Precision != PrecisionMinute || good.Route != "IDINJ" || good.Programme != ProgrammeCOVID {
		t.Errorf("%+v", good)
	}
	paper := NewDoseEvent(id.Event(id.NewOrdered()), p, "", 1, at, "Nowhere/None", SourceHistorical, "clerk")
	if err := paper.Validate(); err != nil || paper.Precision != PrecisionDay {
		t.Errorf("%+v: %v", paper, err)
	}
	abroad := paper
	abroad.Source, abroad.Product, abroad.Antigens, abroad.Route = SourceAbroad, "SOMETHING ELSE", []string{"SARS-CoV-2"}, ""
	if err := abroad.Validate(); err != nil {
		t.Error(err)
	}
	for field, spoil := range map[string]func(*DoseEvent){
		"event":       func(d *DoseEvent) { d.Event = "1" },
		"source":      func(d *DoseEvent) { d.Source = "" },
		"product":     func(d *DoseEvent) { d.Product = "SOMETHING ELSE" },
		"programme":   func(d *DoseEvent) { d.Programme = ProgrammeTravel },
		"antigens":    func(d *DoseEvent) { d.Antigens = []string{"Measles"} },
		"lot":         func(d *DoseEvent) { d.Lot = "" },
		"sequence":    func(d *DoseEvent) { d.Sequence = 0 },
		"status":      func(d *DoseEvent) { d.Status = "given" },
		"route":       func(d *DoseEvent) { d.Quantity = "" },
		"author":      func(d *DoseEvent) { d.Author = "" },
		"precision":   func(d *DoseEvent) { d.Precision = "year" },
		"given_at":    func(d *DoseEvent) { d.GivenAt = 0 },
		"given_day":   func(d *DoseEvent) { d.GivenDay = civil.Date{Year: 2026, Month: 11, Day: 26} },
		"recorded_at": func(d *DoseEvent) { d.RecordedAt = d.GivenAt - 11*60*1000 },
	} {
		d := good
		spoil(&d)
		if err := d.Validate(); fault.CodeOf(err) != field || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestLists(t *testing.T) {
	if TextOf(IDTypes(), IDAadhaar) != "Aadhaar Card" || TextOf(IDTypes(), IDPAN) != "PAN Card" || TextOf(IDTypes(), IDPassport) != "Passport" ||
		TextOf(IDTypes(), IDVoter) != "Voter ID" || TextOf(IDTypes(), IDUDID) != "UDID" || TextOf(IDTypes(), IDStudent) != "Student ID" || TextOf(IDTypes(), 0) != "" {
		t.Error("an id type has another number")
	}
	if !ValidGender(1) || !ValidGender(3) || ValidGender(0) || ValidGender(4) {
		t.Error("genders")
	}
}
