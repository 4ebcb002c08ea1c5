package edge

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/statistics"
)

// reportCache is how long an answer is given again before the registry is asked.
const reportCache = time.Minute

// reportsMax is how many answers are kept; a full cache starts anew.
const reportsMax = 256

// Reports are the published figures of the dashboard.
type Reports interface {
	// Reports returns the newest day until one, and of the days before it the newest.
	Reports(ctx context.Context, until civil.Date) (last, before statistics.Published, err error)
}

// reportAnswers keeps encoded answers for a short time.
type reportAnswers struct {
	mu sync.Mutex
	by map[string]reportAnswer
}

type reportAnswer struct {
	at time.Time
	*answer
}

func (r *reportAnswers) get(key string, now time.Time) *answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, ok := r.by[key]; ok && now.Sub(a.at).Abs() < reportCache {
		return a.answer
	}
	return nil
}

func (r *reportAnswers) put(key string, now time.Time, a *answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil || len(r.by) >= reportsMax {
		r.by = map[string]reportAnswer{}
	}
	r.by[key] = reportAnswer{now, a}
}

type wireSites struct {
	Total   int64 `json:"total"`
	Govt    int64 `json:"govt"`
	Private int64 `json:"pvt"`
}

type wireRegistration struct {
	Total int64 `json:"total"`
	From  int64 `json:"cit_18_45"`
	Above int64 `json:"cit_45_above"`
	Today int64 `json:"today"`
}

type wireVaccination struct {
	Total       int64 `json:"total"`
	Doses       int64 `json:"total_doses"`
	First       int64 `json:"tot_dose_1"`
	Second      int64 `json:"tot_dose_2"`
	Precaution  int64 `json:"tot_pd"`
	Male        int64 `json:"male"`
	Female      int64 `json:"female"`
	Others      int64 `json:"others"`
	Covishield  int64 `json:"covishield"`
	Covaxin     int64 `json:"covaxin"`
	Sputnik     int64 `json:"sputnik"`
	Today       int64 `json:"today"`
	TodayFirst  int64 `json:"today_dose_one"`
	TodaySecond int64 `json:"today_dose_two"`
	TodayMale   int64 `json:"today_male"`
	TodayFemale int64 `json:"today_female"`
	TodayOthers int64 `json:"today_others"`
}

type wireArea struct {
	ID       string `json:"id"`
	State    int    `json:"state_id"`
	Name     string `json:"state_name"`
	District int    `json:"district_id,omitempty"`
	Of       string `json:"district_name,omitempty"`
	Title    string `json:"title"`
	Total    int64  `json:"total"`
	Fully    int64  `json:"totally_vaccinated"`
	Today    int64  `json:"today"`
}

type wireTop struct {
	Sites        wireSites        `json:"sites"`
	Registration wireRegistration `json:"registration"`
	Vaccination  wireVaccination  `json:"vaccination"`
}

type wireReport struct {
	Top       wireTop    `json:"topBlock"`
	Areas     []wireArea `json:"getBeneficiariesGroupBy"`
	AEFI      []any      `json:"last30DaysAefi"`
	Percent   float64    `json:"aefiPercentage"`
	Timestamp string     `json:"timestamp"`
}

// areaAsked is whose figures are asked for.
type areaAsked struct {
	state, district int
	until           civil.Date
}

func (c *Ctx) areaAsked() (q areaAsked, err error) {
	v := c.r.URL.Query()
	for _, f := range []struct {
		name string
		into *int
	}{{"state_id", &q.state}, {"district_id", &q.district}} {
		if v.Get(f.name) == "" {
			continue
		}
		n, err := strconv.ParseUint(v.Get(f.name), 10, 31)
		if err != nil {
			return q, wanted(f.name, "a number")
		}
		*f.into = int(n)
	}
	q.until = civil.Of(c.s.cfg.Now().In(statistics.India()))
	if v.Get("date") == "" {
		return q, nil
	}
	day, err := civil.ParseISO(v.Get("date"))
	if err != nil { // as the rest of the API writes days
		day, err = civil.ParseIndian(v.Get("date"))
	}
	if err != nil {
		return q, wanted("date", "a day as yyyy-mm-dd")
	}
	if day.Before(q.until) {
		q.until = day
	}
	return q, nil
}

// publicReport is the dashboard: sums of the rounded cells that were published, and
// nothing else about people (statistics).
func publicReport(c *Ctx) error {
	q, err := c.areaAsked()
	if err != nil {
		return err
	}
	key := c.route.Path + "?" + strconv.Itoa(q.state) + "&" + strconv.Itoa(q.district) + "&" + q.until.String()
	now := c.s.cfg.Now()
	a := c.s.reports.get(key, now)
	if a == nil {
		last, before, err := c.s.cfg.Reports.Reports(c.r.Context(), q.until)
		if err != nil {
			return err
		}
		body, err := json.Marshal(c.s.report(q, last, before))
		if err != nil {
			return fault.Wrap(fault.Internal, err, "report")
		}
		a = newAnswer(body)
		c.s.reports.put(key, now, a)
	}
	c.public(300)
	h := c.w.Header()
	h.Set("ETag", a.tags[0])
	if match := c.r.Header["If-None-Match"]; len(match) > 0 && hasTag(match, a.tags) {
		c.w.WriteHeader(304)
		return nil
	}
	h.Set("Content-Type", typeJSON)
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	_, _ = c.w.Write(a.body)
	return nil
}

// report adds up what is shown. A day's own figures are the difference of two
// published days, and 0 when the day before was not published.
func (s *Server) report(q areaAsked, last, before statistics.Published) wireReport {
	out := wireReport{AEFI: []any{}}
	if !last.Day.IsZero() {
		out.Timestamp = last.Day.String() + "T23:59:59+05:30"
	}
	if before.Day.IsZero() || before.Day.AddDays(1) != last.Day {
		before = last
	}
	area, known := s.areaOf(q)
	out.Areas = s.areas(q, last, before)
	var f, old statistics.Figures
	if known {
		f, old = last.Sum(area), before.Sum(area)
	}
	out.Top.Sites = s.sites(q)
	out.Top.Registration = wireRegistration{f.Registered, f.Registered18, f.Registered45, f.Registered - old.Registered}
	out.Top.Vaccination = wireVaccination{f.Doses, f.Doses, f.First, f.Second, f.Precaution, f.Male, f.Female, f.Others, f.Covishield, f.Covaxin, f.Sputnik,
		f.Doses - old.Doses, f.First - old.First, f.Second - old.Second, f.Male - old.Male, f.Female - old.Female, f.Others - old.Others}
	return out
}

// areaOf names what is asked for; false when there is no such state or district.
func (s *Server) areaOf(q areaAsked) (a statistics.Area, known bool) {
	if q.state == 0 && q.district == 0 {
		return a, true
	}
	for _, x := range s.cfg.Places.States() {
		if q.state != 0 && x.ID != q.state {
			continue
		}
		if q.district == 0 {
			return statistics.Area{State: x.Name}, true
		}
		for _, d := range s.cfg.Places.Districts(x.ID) {
			if d.ID == q.district {
				return statistics.Area{State: x.Name, District: d.Name}, true
			}
		}
	}
	return a, false
}

// areas are the states or, where a state is asked for, its districts.
func (s *Server) areas(q areaAsked, last, before statistics.Published) []wireArea {
	out := []wireArea{}
	row := func(w wireArea, a statistics.Area) {
		f, old := last.Sum(a), before.Sum(a)
		w.Total, w.Fully, w.Today = f.Doses, f.Second, f.Doses-old.Doses
		out = append(out, w)
	}
	for _, x := range s.cfg.Places.States() {
		if q.state == 0 {
			row(wireArea{ID: strconv.Itoa(x.ID), State: x.ID, Name: x.Name, Title: x.Name}, statistics.Area{State: x.Name})
			continue
		}
		if x.ID != q.state {
			continue
		}
		for _, d := range s.cfg.Places.Districts(x.ID) {
			row(wireArea{ID: strconv.Itoa(d.ID), State: x.ID, Name: x.Name, District: d.ID, Of: d.Name, Title: d.Name}, statistics.Area{State: x.Name, District: d.Name})
		}
	}
	return out
}

// sites counts the centres of an area: those that take money, and the others.
func (s *Server) sites(q areaAsked) (n wireSites) {
	count := func(district int) {
		for _, x := range s.cfg.Search.Centres(scheduling.ByDistrict, int64(district)) {
			n.Total++
			if x.Paid {
				n.Private++
			} else {
				n.Govt++
			}
		}
	}
	switch {
	case q.district != 0:
		count(q.district)
	default:
		for _, x := range s.cfg.Places.States() {
			if q.state == 0 || x.ID == q.state {
				for _, d := range s.cfg.Places.Districts(x.ID) {
					count(d.ID)
				}
			}
		}
	}
	return n
}

func reportRoutes() []Route {
	route := func(name string) Route {
		return Route{Method: "GET", Path: "/api/v1/reports/v2/" + name, Audience: Public, Action: "report", Rate: RateSearch, ContentType: typeJSON, Handler: publicReport}
	}
	return []Route{route("getPublicReports"), route("getVacPublicReports")}
}
