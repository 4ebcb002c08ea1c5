package edge

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"tikakosh/internal/fault"
	"tikakosh/internal/scheduling"
)

// nearMost is how many centres S6 lists.
const nearMost = 50

// listBlocks is M5: the blocks of a district as a bare list. They are those the
// postal directory names; an unknown district has none. A block's number is its
// place in the district's list, after the district's number, and may change
// with another directory.
func listBlocks(c *Ctx) error {
	n, err := strconv.ParseUint(c.r.PathValue("district_id"), 10, 31)
	if err != nil {
		return wanted("district_id", "a number")
	}
	type row struct {
		ID   int    `json:"block_id"`
		Name string `json:"block_name"`
	}
	out := []row{}
	for i, name := range c.s.cfg.Places.Blocks(int(n)) {
		out = append(out, row{int(n)*1000 + i + 1, name})
	}
	c.public(3600)
	return c.json(out)
}

// listLocalities is M5 for a PIN code: a bare list of the postal area. The
// directory kept here holds one line for each PIN code, not each post office.
func listLocalities(c *Ctx) error {
	pin := strings.ReplaceAll(c.r.PathValue("pin"), " ", "")
	if !scheduling.PINValid(pin) {
		return fault.New(fault.Invalid, "APPOIN0018", "Invalid Pincode")
	}
	type row struct {
		ID       int    `json:"locality_id"`
		Office   string `json:"office_name"`
		Locality string `json:"locality_name"`
		PIN      int    `json:"pincode"`
	}
	out := []row{}
	if p, ok := c.s.cfg.Places.ByPIN(pin); ok {
		number, _ := strconv.Atoi(pin)
		locality := p.Block
		if d, ok := c.s.cfg.Places.District(p.District); ok {
			locality = d.Name
		}
		out = append(out, row{number, p.Block, locality, number})
	}
	c.public(3600)
	return c.json(out)
}

// wireNear is a centre as S6 shows it: PIN code and place are text there
// (contract.md 1.4).
type wireNear struct {
	ID       int64  `json:"center_id"`
	Name     string `json:"name"`
	Address  string `json:"address"`
	State    string `json:"state_name"`
	District string `json:"district_name"`
	Block    string `json:"block_name"`
	PIN      string `json:"pincode"`
	Lat      string `json:"lat"`
	Long     string `json:"long"`
	*wireLocal
}

// nearby is S6: the centres nearest to a point, nearest first.
func nearby(c *Ctx) error {
	q := c.r.URL.Query()
	degrees := func(name string, most float64) (float64, error) {
		v, err := strconv.ParseFloat(q.Get(name), 64)
		switch {
		case q.Get(name) == "":
			return 0, missing(name)
		case err != nil || math.IsNaN(v) || math.Abs(v) > most:
			return 0, wanted(name, "a number")
		}
		return v, nil
	}
	lat, err := degrees("lat", 90)
	if err != nil {
		return err
	}
	long, err := degrees("long", 180)
	if err != nil {
		return err
	}
	out := struct {
		Centres []wireNear `json:"centers"`
		TTL     int        `json:"ttl"`
	}{[]wireNear{}, listTTL}
	language := c.language()
	for _, x := range c.s.cfg.Search.Nearest(lat, long, nearMost) {
		out.Centres = append(out.Centres, wireNear{ID: int64(x.ID), Name: x.Name, Address: x.Address, State: x.State, District: x.District, Block: x.Block,
			PIN: x.PIN, Lat: strconv.FormatFloat(x.Lat, 'f', -1, 64), Long: strconv.FormatFloat(x.Long, 'f', -1, 64), wireLocal: c.s.localOf(x, language)})
	}
	c.public(300)
	return c.json(out)
}

// captchaSVG is a picture of CoWIN's form: noise paths without filling, and
// nothing to read. A captcha that programs read better than people stops
// people, so none is ever asked for (contract.md 1.2).
const captchaSVG = `<svg xmlns="http://www.w3.org/2000/svg" width="150" height="50" viewBox="0,0,150,50">` +
	`<path fill="none" d="M10 25 C40 5,110 45,140 25" stroke="#777"/></svg>`

// recaptcha is A7. CoWIN's clients ask for a captcha before they book; the
// answer to it is neither wanted nor looked at.
func recaptcha(c *Ctx) error {
	if len(c.body) > 0 {
		if err := c.decode(&struct{}{}); err != nil {
			return err
		}
	}
	return c.json(map[string]string{"captcha": captchaSVG})
}

// placeRoutes are M5, S6, the consents and A7, and C2, which is C1 at another address.
func placeRoutes() []Route {
	get := func(path string, a Audience, action string, rate Rate, h func(*Ctx) error) Route {
		return Route{Method: "GET", Path: path, Audience: a, Action: action, Rate: rate, ContentType: typeJSON, Handler: h}
	}
	document := get("/api/v2/registration/certificate/download", Holder, "person.certificate", RateSelf, certificate)
	document.ContentType = typePDF
	return []Route{
		get("/api/v1/admin/location/blocks/{district_id}", Public, "meta", RateSearch, listBlocks),
		get("/api/v1/admin/location/getLocalitybyPincode/{pin}", Public, "meta", RateSearch, listLocalities),
		get("/api/v3/consents", Public, "meta", RateSearch, listConsents),
		get("/api/v2/appointment/centers/public/findByLatLong", Public, "search", RateSearch, nearby),
		get("/api/v2/appointment/centers/findByLatLong", Holder, "search", RateSearch, nearby),
		{Method: "POST", Path: "/api/v2/auth/getRecaptcha", Audience: Holder, Action: "captcha", Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Handler: recaptcha},
		document,
	}
}

// allowed lists the methods that an address takes: none when it is no address.
func (s *Server) allowed(path string) []string {
	var out []string
	for _, route := range s.table {
		if matches(route.Path, path) {
			out = append(out, route.Method)
			if route.Method == "GET" {
				out = append(out, "HEAD")
			}
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return slices.Compact(out)
}

// matches reports whether a path is one that a route's pattern names, by the
// rules of http.ServeMux.
func matches(pattern, path string) bool {
	pattern = strings.TrimSuffix(pattern, "{$}")
	for {
		want, rest, more := strings.Cut(pattern, "/")
		have, tail, deeper := strings.Cut(path, "/")
		if strings.HasSuffix(want, "...}") {
			return path != ""
		}
		if wild := strings.HasPrefix(want, "{"); (wild && have == "") || (!wild && want != have) || more != deeper {
			return false
		}
		if !more {
			return true
		}
		pattern, path = rest, tail
	}
}
