package edge

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/scheduling"
)

func hhmm(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

func instant(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// wireSession and wireCentre are the shapes of contract.md 1.4.
type wireSession struct {
	ID        string   `json:"session_id"`
	Date      string   `json:"date"`
	Available int      `json:"available_capacity"`
	Dose1     int      `json:"available_capacity_dose1"`
	Dose2     int      `json:"available_capacity_dose2"`
	MinAge    int      `json:"min_age_limit"`
	MaxAge    int      `json:"max_age_limit,omitempty"`
	Vaccine   string   `json:"vaccine"`
	Slots     []string `json:"slots"`
}

type wireCentre struct {
	ID       int64   `json:"center_id"`
	Name     string  `json:"name"`
	Address  string  `json:"address"`
	State    string  `json:"state_name"`
	District string  `json:"district_name"`
	Block    string  `json:"block_name"`
	PIN      int     `json:"pincode"`
	Lat      float64 `json:"lat"`
	Long     float64 `json:"long"`
	From     string  `json:"from"`
	To       string  `json:"to"`
	FeeType  string  `json:"fee_type"`
}

type wireFee struct {
	Vaccine string `json:"vaccine"`
	Fee     string `json:"fee"`
}

type wireCalendarCentre struct {
	wireCentre
	Fees     []wireFee     `json:"vaccine_fees,omitempty"`
	Sessions []wireSession `json:"sessions"`
}

type wireFound struct {
	wireCentre
	Fee string `json:"fee"`
	wireSession
}

// where is what a search is about.
type where int

const (
	byPIN where = iota
	byDistrict
	byCentre
)

// query is a parsed search.
type query struct {
	pin      string
	district int
	centre   id.Centre
	day      civil.Date
	vaccine  string
}

func (c *Ctx) query(w where) (q query, err error) {
	v := c.r.URL.Query()
	if v.Get("date") == "" {
		return q, missing("date")
	}
	if q.day, err = civil.ParseIndian(v.Get("date")); err != nil {
		return q, wanted("date", "a day as dd-mm-yyyy")
	}
	q.vaccine = v.Get("vaccine")
	if len(q.vaccine) > 40 {
		return q, missing("vaccine")
	}
	switch w {
	case byPIN:
		// Letters write it in two groups of three.
		if q.pin = strings.ReplaceAll(v.Get("pincode"), " ", ""); !scheduling.PINValid(q.pin) {
			return q, fault.New(fault.Invalid, "APPOIN0018", "Invalid Pincode")
		}
	case byDistrict:
		n, err := strconv.ParseUint(v.Get("district_id"), 10, 31)
		if err != nil {
			return q, wanted("district_id", "a number")
		}
		q.district = int(n)
	case byCentre:
		n, err := strconv.ParseUint(v.Get("center_id"), 10, 63)
		if err != nil {
			return q, wanted("center_id", "a number")
		}
		q.centre = id.Centre(n)
	}
	return q, nil
}

// find is S1 and S2: one day, only sessions with places.
func find(w where) func(*Ctx) error {
	return func(c *Ctx) error {
		q, err := c.query(w)
		if err != nil {
			return err
		}
		var days []scheduling.CentreDay
		if w == byPIN {
			days = c.s.cfg.Search.FindByPIN(q.pin, q.day, q.vaccine)
		} else {
			days = c.s.cfg.Search.FindByDistrict(q.district, q.day, q.vaccine)
		}
		out := struct {
			Sessions []wireFound `json:"sessions"`
		}{[]wireFound{}}
		for _, d := range days {
			for _, s := range d.Sessions {
				out.Sessions = append(out.Sessions, wireFound{wireCentre: wireOf(d.Centre), Fee: strconv.Itoa(s.Fee), wireSession: sessionOf(s)})
			}
		}
		c.public(5)
		return c.json(out)
	}
}

// calendar is S3 to S5: seven days, full sessions too. For one centre "centers"
// is one object, as clients expect (contract.md 1.4).
func calendar(w where) func(*Ctx) error {
	return func(c *Ctx) error {
		q, err := c.query(w)
		if err != nil {
			return err
		}
		var days []scheduling.CentreDay
		switch w {
		case byPIN:
			days = c.s.cfg.Search.CalendarByPIN(q.pin, q.day, q.vaccine)
		case byDistrict:
			days = c.s.cfg.Search.CalendarByDistrict(q.district, q.day, q.vaccine)
		default:
			days = c.s.cfg.Search.CalendarByCentre(q.centre, q.day, q.vaccine)
		}
		list := []wireCalendarCentre{}
		for _, d := range days {
			list = append(list, calendarOf(d))
		}
		c.public(5)
		if w != byCentre {
			return c.json(map[string]any{"centers": list})
		}
		if len(list) == 0 {
			return c.json(map[string]any{"centers": struct{}{}})
		}
		return c.json(map[string]any{"centers": list[0]})
	}
}

func calendarOf(d scheduling.CentreDay) wireCalendarCentre {
	w := wireCalendarCentre{wireCentre: wireOf(d.Centre), Sessions: []wireSession{}}
	seen := map[string]bool{}
	for _, s := range d.Sessions {
		w.Sessions = append(w.Sessions, sessionOf(s))
		if d.Centre.Paid && !seen[s.Product] {
			seen[s.Product] = true
			w.Fees = append(w.Fees, wireFee{s.Product, strconv.Itoa(s.Fee)})
		}
	}
	return w
}

func wireOf(c scheduling.Centre) wireCentre {
	pin, _ := strconv.Atoi(c.PIN)
	w := wireCentre{ID: int64(c.ID), Name: c.Name, Address: c.Address, State: c.State, District: c.District, Block: c.Block, PIN: pin,
		Lat: c.Lat, Long: c.Long, From: hhmm(c.Opens) + ":00", To: hhmm(c.Closes) + ":00", FeeType: "Free"}
	if c.Paid {
		w.FeeType = "Paid"
	}
	return w
}

func sessionOf(s scheduling.Listed) wireSession {
	return wireSession{ID: string(s.ID), Date: s.Day.Indian(), Available: s.Available(), Dose1: s.Available1, Dose2: s.Available2,
		MinAge: s.MinAge, MaxAge: s.MaxAge, Vaccine: s.Product, Slots: s.Slots}
}
