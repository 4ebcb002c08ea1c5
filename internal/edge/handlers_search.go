package edge

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/registry/rules"
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
	DrawAt    string   `json:"draw_at,omitempty"` // until then requests are entries of a draw
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
	*wireLocal
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

// searchKind is one of the five searches.
type searchKind uint8

const (
	findPIN searchKind = iota
	findDistrict
	calendarPIN
	calendarDistrict
	calendarCentre
	searchKinds // how many there are
)

// searches lists the last part of each search's address.
var searches = [searchKinds]string{"findByPin", "findByDistrict", "calendarByPin", "calendarByDistrict", "calendarByCenter"}

func (k searchKind) by() scheduling.By {
	switch k {
	case findPIN, calendarPIN:
		return scheduling.ByPIN
	case findDistrict, calendarDistrict:
		return scheduling.ByDistrict
	}
	return scheduling.ByCentre
}

func (k searchKind) find() bool { return k == findPIN || k == findDistrict }

// question is a parsed search.
type question struct {
	kind    searchKind
	key     int64
	day     civil.Date
	vaccine string
}

// cacheKey is the question's one form, whatever form it was asked in.
func (q question) cacheKey(language string) searchKey {
	return searchKey{q.kind, q.key, int32(q.day.Year*10_000 + int(q.day.Month)*100 + q.day.Day), q.vaccine, language}
}

// parse reads a search's parameters, in any order and spelling that clients use.
func (k searchKind) parse(v url.Values) (q question, err error) {
	q.kind = k
	if v.Get("date") == "" {
		return q, missing("date")
	}
	if q.day, err = civil.ParseIndian(v.Get("date")); err != nil {
		return q, wanted("date", "a day as dd-mm-yyyy")
	}
	if len(v.Get("vaccine")) > 40 {
		return q, missing("vaccine")
	}
	q.vaccine = vaccineNamed(v.Get("vaccine"))
	switch k.by() {
	case scheduling.ByPIN:
		// Letters write it in two groups of three.
		pin := strings.ReplaceAll(v.Get("pincode"), " ", "")
		if !scheduling.PINValid(pin) {
			return q, fault.New(fault.Invalid, "APPOIN0018", "Invalid Pincode")
		}
		q.key, _ = strconv.ParseInt(pin, 10, 64)
	case scheduling.ByDistrict:
		n, err := strconv.ParseUint(v.Get("district_id"), 10, 31)
		if err != nil {
			return q, wanted("district_id", "a number")
		}
		q.key = int64(n)
	default:
		n, err := strconv.ParseUint(v.Get("center_id"), 10, 63)
		if err != nil {
			return q, wanted("center_id", "a number")
		}
		q.key = int64(n)
	}
	return q, nil
}

// vaccineNamed is a product's own code for a spelling of it ("Sputnik-V",
// "covaxin"), or the text itself when there is no such product.
func vaccineNamed(text string) string {
	if text == "" {
		return ""
	}
	if code, ok := vaccineNames()[foldName(text)]; ok {
		return code
	}
	return text
}

// vaccineNames maps folded names to codes.
var vaccineNames = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for _, p := range rules.Products() {
		out[foldName(p.Code)] = p.Code
	}
	return out
})

// foldName keeps letters and digits, in capitals.
func foldName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9'):
			return r
		}
		return -1
	}, s)
}

// search answers one of the searches S1 to S5.
func search(k searchKind) func(*Ctx) error {
	return func(c *Ctx) error {
		q, err := k.parse(c.r.URL.Query())
		if err != nil {
			return err
		}
		writeAnswer(c.w, c.r, c.s.answer(q, languageOf(c.r), c.s.cfg.Now()), c.route.Audience == Public)
		return nil
	}
}

// answer finds the encoded answer to a question, or makes it.
func (s *Server) answer(q question, language string, now time.Time) *answer {
	return s.answers.get(q.cacheKey(language), now, func() *answer {
		ask := scheduling.Question{By: q.kind.by(), Key: q.key, Day: q.day, Days: scheduling.CalendarDays, Product: q.vaccine}
		if q.kind.find() {
			ask.Days, ask.Free = 1, true
		}
		found := s.cfg.Search.Ask(ask)
		if found.Area == nil {
			return nothingFound()[q.kind]
		}
		a := newAnswer(s.encodeSearch(q.kind, found.List, language))
		a.area, a.from, a.until, a.made = found.Area, found.Version, found.Until, now
		a.pause = min(answerPause, max(time.Millisecond, pausePerCost*s.cfg.Now().Sub(now)))
		return a
	})
}

// nothingFound is the answer where there is nothing: one for each kind.
var nothingFound = sync.OnceValue(func() (out [searchKinds]*answer) {
	for k := range searchKinds {
		out[k] = newAnswer((*Server)(nil).encodeSearch(k, nil, ""))
	}
	return out
})

// encodeSearch writes the answer of S1 and S2 (one day, only sessions with
// places) or of S3 to S5 (seven days, full sessions too). For one centre
// "centers" is one object, as clients expect (contract.md 1.4).
// "hi" adds CoWIN's fields for another language.
func (s *Server) encodeSearch(k searchKind, days []scheduling.CentreDay, language string) []byte {
	if k.find() {
		out := struct {
			Sessions []wireFound `json:"sessions"`
		}{[]wireFound{}}
		for _, d := range days {
			centre := wireOf(d.Centre)
			centre.wireLocal = s.localOf(d.Centre, language)
			for _, v := range d.Sessions {
				out.Sessions = append(out.Sessions, wireFound{wireCentre: centre, Fee: strconv.Itoa(v.Fee), wireSession: sessionOf(v)})
			}
		}
		return mustJSON(out)
	}
	list := []wireCalendarCentre{}
	for _, d := range days {
		centre := calendarOf(d)
		centre.wireLocal = s.localOf(d.Centre, language)
		list = append(list, centre)
	}
	if k != calendarCentre {
		return mustJSON(map[string]any{"centers": list})
	}
	if len(list) == 0 {
		return mustJSON(map[string]any{"centers": struct{}{}})
	}
	return mustJSON(map[string]any{"centers": list[0]})
}

// mustJSON encodes values of our own that always can be.
func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("edge: " + err.Error())
	}
	return raw
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
	w := wireSession{ID: string(s.ID), Date: s.Day.Indian(), Available: s.Available(), Dose1: s.Available1, Dose2: s.Available2,
		MinAge: s.MinAge, MaxAge: s.MaxAge, Vaccine: s.Product, Slots: s.Slots}
	if s.DrawAt > 0 {
		w.DrawAt = instant(s.DrawAt)
	}
	return w
}
