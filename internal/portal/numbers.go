package portal

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/scheduling/places"
	"tikakosh/internal/statistics"
)

func numbersRoutes() []Route {
	return []Route{
		page("/numbers", "numbers", numbers, "state", "district"),
		page("/numbers.csv", "numbers.csv", numbersCSV, "by", "state", "district"),
	}
}

// area is whose figures are asked for.
type area struct {
	statistics.Area
	state    places.State
	district places.District
}

func (a area) query() string {
	switch {
	case a.district.ID != 0:
		return "&district=" + strconv.Itoa(a.district.ID)
	case a.state.ID != 0:
		return "&state=" + strconv.Itoa(a.state.ID)
	}
	return ""
}

// areaAsked reads a state or a district of the address.
func (c *Ctx) areaAsked() (a area, err error) {
	if text := c.form.Get("district"); text != "" {
		n, _ := catalogue.Count(text, 1<<20)
		d, ok := c.s.cfg.Places.District(n)
		if !ok {
			return a, fault.New(fault.NotFound, "district", "no such district")
		}
		a.district = d
		a.state, _ = c.s.cfg.Places.State(d.State)
		a.Area = statistics.Area{State: a.state.Name, District: d.Name}
		return a, nil
	}
	if text := c.form.Get("state"); text != "" {
		n, _ := catalogue.Count(text, 1<<20)
		s, ok := c.s.cfg.Places.State(n)
		if !ok {
			return a, fault.New(fault.NotFound, "state", "no such state")
		}
		a.state, a.Area = s, statistics.Area{State: s.Name}
	}
	return a, nil
}

// row is one count of a breakdown.
type row struct {
	name, href string
	n          int64
}

// breakdown adds up the published cells of an area by one of their marks. All of it is sums
// of rounded cells: it tells no more than they do.
func (c *Ctx) breakdown(by string, a area, p statistics.Published) []row {
	sum := map[string]int64{}
	for _, cell := range p.Cells {
		in := cell.Band == "" && (a.State == "" || a.State == cell.State) && (a.District == "" || a.District == cell.District)
		switch by {
		case "vaccine":
			if in {
				sum[cell.Product] += cell.N
			}
		case "gender":
			if in {
				sum[strconv.Itoa(cell.Gender)] += cell.N
			}
		case "dose":
			if in {
				sum[strconv.Itoa(min(cell.Dose, 3))] += cell.N
			}
		case "age":
			if cell.Band != "" && a.State == "" {
				sum[cell.Band] += cell.N
			}
		case "state":
			if in {
				sum[cell.State] += cell.N
			}
		case "district":
			if in && cell.District != "" {
				sum[cell.District] += cell.N
			}
		}
	}
	return c.named(by, a, sum)
}

// named gives the sums their names in the page's language, in an order of their own.
func (c *Ctx) named(by string, a area, sum map[string]int64) []row {
	var out []row
	switch by {
	case "state":
		for _, s := range c.s.cfg.Places.States() {
			out = append(out, row{c.local(s.Name, s.NameHi), "/numbers?state=" + strconv.Itoa(s.ID), sum[s.Name]})
		}
	case "district":
		for _, d := range c.s.cfg.Places.Districts(a.state.ID) {
			out = append(out, row{c.local(d.Name, d.NameHi), "/numbers?district=" + strconv.Itoa(d.ID), sum[d.Name]})
		}
	case "vaccine":
		for _, name := range slices.Sorted(maps.Keys(sum)) {
			out = append(out, row{name: name, n: sum[name]})
		}
	default:
		for _, key := range map[string][]string{"gender": {"1", "2", "3"}, "dose": {"1", "2", "3"}, "age": {statistics.Under18, statistics.From18, statistics.From45}}[by] {
			out = append(out, row{name: c.say.T("numbers." + by + "_" + key), n: sum[key]})
		}
	}
	if by == "state" || by == "district" || by == "vaccine" {
		slices.SortStableFunc(out, func(x, y row) int { return cmp.Compare(y.n, x.n) })
	}
	return out
}

// chart makes the chart of a breakdown.
func (c *Ctx) chart(by string, a area, rows []row) view.Bars {
	b := view.Bars{ID: by, Title: c.say.T("numbers.by_" + by), Head: c.say.T("numbers." + by), Unit: c.say.T("numbers.doses"), CSV: "/numbers.csv?by=" + by + a.query()}
	if by == "age" {
		b.Unit = c.say.T("numbers.registered")
	}
	most := row{}
	for _, r := range rows {
		if r.n > most.n {
			most = r
		}
	}
	for _, r := range rows {
		x := view.Bar{Name: r.name, Href: r.href, Value: catalogue.Number(r.n)}
		if r.n == 0 {
			x.Value = c.say.T("numbers.few")
		}
		if most.n > 0 {
			x.Share = 100 * float64(r.n) / float64(most.n)
		}
		b.Rows = append(b.Rows, x)
	}
	if most.n > 0 {
		b.Sentence = c.say.T("numbers.most", "Name", most.name, "N", catalogue.Number(most.n))
	}
	return b
}

// numbers shows the published figures of the country, a state or a district.
func numbers(c *Ctx) error {
	a, err := c.areaAsked()
	if err != nil {
		return err
	}
	last, before, err := c.s.published(c)
	if err != nil {
		return err
	}
	x := view.NumbersPage{Heading: c.say.T("numbers.title")}
	switch {
	case a.district.ID != 0:
		x.Heading, x.Back = c.say.T("numbers.of", "Place", c.local(a.district.Name, a.district.NameHi)), "/numbers?state="+strconv.Itoa(a.state.ID)
	case a.state.ID != 0:
		x.Heading, x.Back = c.say.T("numbers.of", "Place", c.local(a.state.Name, a.state.NameHi)), "/numbers"
	}
	x.First = c.say.T("numbers.none_first", "Day", c.say.Day(c.today()))
	if !last.Day.IsZero() {
		x.AsOf = c.say.T("numbers.as_of", "Day", c.say.Day(last.Day))
		c.fill(&x, a, last, before)
	}
	p := c.page("numbers.title")
	p.Title = x.Heading
	return c.render(http.StatusOK, view.Numbers(p, x))
}

// fill puts the figures of a published day on the page.
func (c *Ctx) fill(x *view.NumbersPage, a area, last, before statistics.Published) {
	f := last.Sum(a.Area)
	add := func(n int64, text string) {
		value := catalogue.Number(n)
		if n <= 0 {
			value = c.say.T("numbers.few")
		}
		x.Figures = append(x.Figures, view.Figure{Value: value, Text: c.say.T(text)})
	}
	add(f.Doses, "numbers.doses")
	add(f.First, "numbers.first")
	add(f.Second, "numbers.second")
	if a.State == "" {
		add(f.Registered, "numbers.registered")
	}
	if before.Day.AddDays(1) == last.Day {
		if grown := f.Doses - before.Sum(a.Area).Doses; grown > 0 {
			add(grown, "numbers.that_day")
		}
	}
	if a.District == "" {
		x.Curve = c.trend(a)
		x.OneDay = len(c.s.days(c)) == 1
	}
	some := func(rows []row) bool { return slices.ContainsFunc(rows, func(r row) bool { return r.n > 0 }) }
	if a.District == "" {
		by := "state"
		if a.State != "" {
			by = "district"
		}
		if rows := c.breakdown(by, a, last); some(rows) {
			areas := c.chart(by, a, rows)
			if x.Areas = &areas; a.State == "" {
				x.Tiles, x.Steps = c.tiles(last)
			}
		}
	}
	for _, by := range []string{"vaccine", "dose", "gender", "age"} {
		rows := c.breakdown(by, a, last)
		if by == "age" {
			if a.State != "" {
				continue
			}
			if !some(rows) {
				x.NoAges = true
				continue
			}
		}
		if some(rows) { // where nothing reached 10 there is nothing to draw
			x.Charts = append(x.Charts, c.chart(by, a, rows))
		}
	}
	if x.Few = len(x.Charts) == 0 && x.Areas == nil; x.Few {
		x.NoAges = false // the sentence of the few says it
	}
}

// numbersCSV is one breakdown as a file, in English, for machines.
func numbersCSV(c *Ctx) error {
	a, err := c.areaAsked()
	if err != nil {
		return err
	}
	by := c.form.Get("by")
	if !slices.Contains([]string{"day", "state", "district", "vaccine", "dose", "gender", "age"}, by) {
		return fault.New(fault.Invalid, "by", "an unknown breakdown")
	}
	last, _, err := c.s.published(c)
	if err != nil {
		return err
	}
	c.say = c.s.say.In(catalogue.Default)
	head := []string{by, "doses", "as_of"}
	if by == "age" {
		head[1] = "registered"
	}
	records := [][]string{head}
	if by == "day" {
		if a.District != "" {
			return fault.New(fault.NotFound, "by", "days are of states and the country")
		}
		records[0] = head[:2]
		for _, d := range c.s.days(c) {
			records = append(records, []string{d.day.String(), strconv.FormatInt(d.doses[a.State], 10)})
		}
	} else {
		for _, r := range c.breakdown(by, a, last) {
			records = append(records, []string{plainCell(r.name), strconv.FormatInt(r.n, 10), last.Day.String()})
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true // RFC 4180
	if err := w.WriteAll(records); err != nil {
		return fault.Wrap(fault.Internal, err, "csv")
	}
	name := "tikakosh-" + by
	for _, n := range []string{a.State, a.District} {
		if n != "" {
			name += "-" + strings.ToLower(strings.Map(letters, n))
		}
	}
	return c.file("text/csv; charset=utf-8", name+".csv", b.Bytes())
}

// letters keeps what a file's name may have.
func letters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return '-'
}

// plainCell keeps a spreadsheet from taking a text for a formula (OWASP: CSV injection).
func plainCell(s string) string {
	if s != "" && !ablate.Off(ablate.FormulaCells) && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}

// file answers with a file to keep.
func (c *Ctx) file(kind, name string, body []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return c.send(body)
}

// send answers with bytes whose headers are set.
func (c *Ctx) send(body []byte) error {
	c.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	c.status = http.StatusOK
	c.w.WriteHeader(c.status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body)
	}
	return nil
}
