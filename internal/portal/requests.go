package portal

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/dates"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/scheduling"
	"tikakosh/internal/vault"
)

// Asking is what people ask about their own records (ADR 42).
type Asking interface {
	Make(ctx context.Context, ref id.Reference, r vault.RequestMake) (vault.Request, error)
	List(ctx context.Context, h vault.Holder) (vault.RequestList, error)
	Withdraw(ctx context.Context, h vault.Holder, tracking string) (vault.Request, error)
	Track(ctx context.Context, number, origin string) (vault.Tracked, error)
}

// OwnRecords is what people see of their own records.
type OwnRecords interface {
	Household(ctx context.Context, h vault.Holder) (registry.Household, error)
	OpeningsOf(ctx context.Context, h vault.Holder, person id.Person, before int64, limit int) (vault.Openings, error)
	Doses(ctx context.Context, h vault.Holder) (vault.Doses, error)
	AnswerDose(ctx context.Context, h vault.Holder, ref id.Reference, event id.Event, confirm bool, reason string) error
}

// requestRoutes are the pages of who opened a record, and of what can be put right.
func requestRoutes() []Route {
	return []Route{
		mine("/p/{who}/seen", "seen", seen, "before", "own"),
		mine("/p/{who}/ask", "ask", ask, "what", "index"),
		act("/p/{who}/ask", "ask.send", askFor, "what", "index", "key", "event", "name", "year", "gender", "date", "lot", "pin", "center", "text"),
		mine("/requests", "requests", requests, "note"),
		act("/requests/withdraw", "requests.withdraw", withdraw, "tracking"),
	}
}

// pageOf is the address of a page about somebody.
func (c *Ctx) pageOf(ref id.Reference, page string) string { return "/p/" + c.handle(ref) + page }

// backTo is where a page about somebody leads back to.
func (c *Ctx) backTo(ref id.Reference) string {
	if c.s.has("/p/{who}") {
		return c.pageOf(ref, "")
	}
	return "/account"
}

// india is where times are shown.
func india() *time.Location { return time.FixedZone("IST", 19800) }

// moment is day and time of day, as people read them.
func (c *Ctx) moment(ms int64) string {
	at := time.UnixMilli(ms).In(india())
	return c.say.Clock(at)
}

func (c *Ctx) day(ms int64) string {
	if ms == 0 {
		return ""
	}
	return c.say.Day(civil.Of(time.UnixMilli(ms).In(india())))
}

// seenPage is how many entries the vault is asked for at once; those that are hidden are among
// them. seenAsks is how often, when all were hidden: each ask is an entry of its own.
const (
	seenPage = 200
	seenAsks = 4
)

// seen lists who opened somebody's record.
func seen(c *Ctx) error {
	who, err := c.who()
	if err != nil {
		return err
	}
	var before int64
	if text := c.form.Get("before"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return fault.New(fault.Invalid, "before", "a page begins at an entry")
		}
	}
	own := c.form.Get("own") == "1"
	x := view.SeenPage{Who: who.Name, Back: c.backTo(who.Reference), Own: own, Toggle: c.pageOf(who.Reference, "/seen")}
	if !own {
		x.Toggle += "?own=1"
	}
	for range seenAsks {
		var more bool
		if x.Rows, before, more, err = c.seenRows(who.Person, who.Reference, before, own); err != nil || !more {
			before = 0
			break
		}
		if len(x.Rows) > 0 {
			break
		}
	}
	if fault.CodeOf(err) == "CARDFIRST" {
		x.Guard, err = true, nil
	}
	if err != nil {
		return err
	}
	if before > 0 {
		q := url.Values{"before": {strconv.FormatInt(before, 10)}}
		if own {
			q.Set("own", "1")
		}
		x.Older = c.pageOf(who.Reference, "/seen?"+q.Encode())
	}
	return c.render(http.StatusOK, view.Seen(c.page("seen.title"), x))
}

// seenRows is what one ask brings: the entries to show, the one that the next ask begins
// before, and whether there may be more.
func (c *Ctx) seenRows(person id.Person, ref id.Reference, before int64, own bool) (rows []view.SeenRow, next int64, more bool, err error) {
	o, err := c.s.cfg.Records.OpeningsOf(c.r.Context(), c.holder, person, before, seenPage)
	if err != nil {
		return nil, 0, false, err
	}
	for _, e := range o.Entries {
		row := c.seenRow(e)
		if row.What == "" || (row.You && !own) {
			continue
		}
		if e.Lost == nil {
			row.Wrong = c.pageOf(ref, "/ask?what=opening&index="+strconv.FormatInt(e.Index, 10))
		}
		rows = append(rows, row)
	}
	if n := len(o.Entries); n > 0 {
		next = o.Entries[n-1].Index
	}
	return rows, next, len(o.Entries) == seenPage, nil
}

// seenRow says what one entry is, in the person's language; What is "" for entries that
// tell nobody anything.
func (c *Ctx) seenRow(e vault.Opening) view.SeenRow {
	row := view.SeenRow{When: c.moment(e.At), Place: e.Place, Ref: e.ViewRef, You: e.Role == "holder", Entry: catalogue.Number(e.Index)}
	what := seenViews()[e.View]
	switch e.Kind {
	case "opening", "break-glass", "list":
		row.Reason = c.reason(e)
		if e.Kind == "break-glass" && what == "" {
			what = "seen.kind_glass"
		}
	case "refusal":
		what, row.Reason = "seen.kind_refusal", ""
	case "committed", "mark":
		return view.SeenRow{}
	default:
		if other := seenKinds()[e.Kind]; other != "" {
			what = other
		}
	}
	if what == "" {
		what = "seen.kind_other"
	}
	row.What = c.say.T(what)
	if e.Role == "holder" && e.Reason == vault.ShareUsed { // whoever had the link: not the household
		row.You, row.By = false, c.say.T("seen.by_link")
		return row
	}
	by := seenRoles()[e.Role]
	if by == "" && e.Role != "" {
		by = "seen.by_other"
	}
	if by != "" {
		row.By = c.say.T(by)
	}
	return row
}

// reason is why, in the person's language: what staff wrote as they wrote it, what the registry
// itself gives in words of the catalogue, and nothing where the view says it already.
func (c *Ctx) reason(e vault.Opening) string {
	if e.Role == "holder" || e.Role == "system" || e.Kind == "list" || e.View == "a request of theirs" {
		return ""
	}
	if id := seenReasons()[e.Reason]; id != "" && e.Kind != "break-glass" { // what staff typed for one is shown as they typed it
		return c.say.T(id)
	}
	return e.Reason
}

// seenReasons are the reasons that the registry gives by itself.
func seenReasons() map[string]string {
	return map[string]string{"dose": "seen.reason_dose", "booking": "seen.reason_booking", "what comes next": "seen.reason_next", "request": "seen.reason_request", "answer": "seen.reason_request", vault.ShareUsed: "seen.by_link"}
}

// seenViews are the ids of what the views of the vault are called to people.
func seenViews() map[string]string {
	return map[string]string{
		"booking view": "seen.view_booking", "masked booking view": "seen.view_masked", "eligibility": "seen.view_eligibility", "appointment slip": "seen.view_slip",
		"certificate": "seen.view_certificate", "access history": "seen.view_history", "all dose events": "seen.view_doses", "dose history at the centre": "seen.view_centre",
		"list of the day": "seen.view_list", "one dose event, for a correction": "seen.view_correction", "a proposed correction of a dose": "seen.view_proposal",
		"name, birth and gender, for a correction": "seen.view_details", "requests they made": "seen.view_requests", "everything that is held": "seen.view_export", "a request of theirs": "seen.view_request",
		"both registrations, to join them": "seen.view_join", "names compared for a vaccination status": "seen.view_status", "counted for the public figures": "seen.view_counted",
	}
}

func seenKinds() map[string]string {
	return map[string]string{"sealed": "seen.kind_written", "booking": "seen.kind_booking", "card": "seen.kind_card", "linked": "seen.kind_linked", "request": "seen.kind_request",
		"share": "seen.kind_share", "left": "seen.kind_left", "gap": "seen.kind_gap", "household": "seen.kind_household"}
}

func seenRoles() map[string]string {
	return map[string]string{"holder": "seen.by_you", "vaccinator": "seen.by_vaccinator", "verifier": "seen.by_verifier", "manager": "seen.by_manager", "district": "seen.by_district",
		"privacy": "seen.by_privacy", "partner": "seen.by_partner", "system": "seen.by_system", "national": "seen.by_national", "state": "seen.by_state", "investigator": "seen.by_investigator"}
}

// kinds are those of requests, as the form of each says it.
func kinds() map[string]struct{ heading, lead string } {
	type k = struct{ heading, lead string }
	return map[string]k{vault.RequestOpening: {"ask.opening", "ask.opening_lead"}, vault.RequestMember: {"ask.member", "ask.member_lead"}, vault.RequestMove: {"ask.move", "ask.move_lead"},
		vault.RequestDetails: {"ask.details", "ask.details_lead"}, vault.RequestDose: {"ask.dose", "ask.dose_lead"}, vault.RequestRevoke: {"ask.revoke", "ask.revoke_lead"}}
}

// ask shows what can be asked for about somebody, or the form of one.
func ask(c *Ctx) error {
	who, err := c.who()
	if err != nil {
		return err
	}
	if c.form.Get("what") == "" {
		x := view.PutRightPage{Who: who.Name, Back: c.backTo(who.Reference)}
		form := c.pageOf(who.Reference, "/ask?what=")
		x.Choices = []view.AskChoice{
			{Href: c.pageOf(who.Reference, "/seen"), Icon: "eye", Title: "seen.title", Text: "ask.seen_text"},
			{Href: form + vault.RequestDetails, Icon: "person", Title: "ask.details", Text: "ask.details_text"},
			{Href: form + vault.RequestDose, Icon: "book", Title: "ask.dose", Text: "ask.dose_text"},
			{Href: form + vault.RequestRevoke, Icon: "no", Title: "ask.revoke", Text: "ask.revoke_text"},
		}
		if !c.byCard { // they are of the mobile's list
			x.Choices = append(x.Choices, view.AskChoice{Href: form + vault.RequestMember, Icon: "person", Title: "ask.member", Text: "ask.member_text"},
				view.AskChoice{Href: form + vault.RequestMove, Icon: "phone", Title: "ask.move", Text: "ask.move_text"})
		}
		if c.s.has("/p/{who}/leave") {
			x.Choices = append(x.Choices, view.AskChoice{Href: c.pageOf(who.Reference, "/leave"), Icon: "lock", Title: "leave.title", Text: "leave.text"})
		}
		return c.render(http.StatusOK, view.PutRight(c.page("ask.title"), x))
	}
	if what := c.form.Get("what"); c.byCard && (what == vault.RequestMember || what == vault.RequestMove) {
		return fault.New(fault.Forbidden, "card", "it is for who has the mobile")
	}
	x, err := c.asking(who)
	if err != nil {
		return err
	}
	return c.askForm(http.StatusOK, x)
}

func (c *Ctx) askForm(status int, x view.AskForm) error {
	p := c.page(x.Heading)
	p.KeepForm = "ask"
	p.Wrong = status != http.StatusOK
	return c.render(status, view.AskFor(p, x))
}

// asking is the form of one request, with what was typed.
func (c *Ctx) asking(who vault.Person) (view.AskForm, error) {
	kind := c.form.Get("what")
	says, ok := kinds()[kind]
	if !ok {
		return view.AskForm{}, fault.New(fault.NotFound, "what", "no such request")
	}
	field := func(name string) view.Field { return view.Field{Value: c.form.Get(name)} }
	x := view.AskForm{Who: who.Name, Back: c.pageOf(who.Reference, "/ask"), Action: c.pageOf(who.Reference, "/ask"), Kind: kind, Heading: says.heading, Lead: says.lead,
		Dose: field("event"), Name: field("name"), Year: field("year"), Gender: field("gender"), Lot: field("lot"), Date: field("date"), PIN: field("pin"), Centre: field("center"), Text: field("text")}
	key := c.form.Get("key")
	if key == "" {
		key = newRequestKey()
	}
	x.Hidden = []view.Hidden{{Name: "what", Value: kind}, {Name: "key", Value: key}}
	var err error
	switch kind {
	case vault.RequestOpening:
		x.Back = c.pageOf(who.Reference, "/seen")
		x.Hidden = append(x.Hidden, view.Hidden{Name: "index", Value: c.form.Get("index")})
		x.Opened, err = c.openedBy(who)
	case vault.RequestDose, vault.RequestRevoke:
		err = c.dosesOf(who, &x)
	case vault.RequestDetails:
		for _, g := range rules.Genders() {
			x.Genders = append(x.Genders, view.Option{Value: strconv.Itoa(g.ID), Text: c.say.T(rightGender(g.ID)), Chosen: x.Gender.Value == strconv.Itoa(g.ID)})
		}
		x.Papers = who.Status == rules.NotVaccinated
		if x.Papers {
			c.centresAt(&x)
		}
	}
	switch kind {
	case vault.RequestMove:
	case vault.RequestDetails, vault.RequestDose:
		x.Due = c.say.T("ask.due_14")
	default:
		x.Due = c.say.T("ask.due_7")
	}
	return x, err
}

func rightGender(n int) string {
	return map[int]string{1: "ask.gender_male", 2: "ask.gender_female", 3: "ask.gender_other"}[n]
}

// openedBy is the entry that looks wrong. fault.NotFound when it is none of theirs.
func (c *Ctx) openedBy(who vault.Person) (*view.SeenRow, error) {
	index, err := strconv.ParseInt(c.form.Get("index"), 10, 64)
	if err != nil || index < 1 {
		return nil, fault.New(fault.NotFound, "index", "no such entry")
	}
	o, err := c.s.cfg.Records.OpeningsOf(c.r.Context(), c.holder, who.Person, index+1, 10)
	if err != nil {
		return nil, err
	}
	for _, e := range o.Entries {
		if e.Index == index && e.Person == who.Person {
			row := c.seenRow(e)
			return &row, nil
		}
	}
	return nil, fault.New(fault.NotFound, "index", "no such entry")
}

// dosesOf lists somebody's doses that are in force or wait for their answer.
func (c *Ctx) dosesOf(who vault.Person, x *view.AskForm) error {
	d, err := c.s.cfg.Records.Doses(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	for _, e := range d.Events {
		if e.Person != who.Person || e.Status == rules.StatusRevoked || (x.Kind == vault.RequestDose && e.Status == rules.StatusUnconfirmed) {
			continue
		}
		text := e.Product + ", " + c.say.Day(e.Day)
		if e.Place != "" {
			text += ", " + view.Plain(e.Place)
		}
		x.Doses = append(x.Doses, view.Option{Value: string(e.Event), Text: text, Chosen: x.Dose.Value == string(e.Event)})
	}
	if len(x.Doses) == 0 {
		return fault.New(fault.NotFound, "dose", "no dose is recorded")
	}
	return nil
}

// centresAt lists the centres of the PIN code that was typed.
func (c *Ctx) centresAt(x *view.AskForm) {
	pin, ok := catalogue.PIN(x.PIN.Value)
	if !ok {
		return
	}
	n, err := strconv.ParseInt(pin, 10, 64)
	if err != nil {
		return
	}
	for _, centre := range c.s.cfg.Search.Centres(scheduling.ByPIN, n) {
		v := strconv.FormatInt(int64(centre.ID), 10)
		x.Centres = append(x.Centres, view.Option{Value: v, Text: view.Plain(centre.Name), Chosen: x.Centre.Value == v})
	}
}

// askFor sends a request.
func askFor(c *Ctx) error {
	who, err := c.who()
	if err != nil {
		return err
	}
	x, err := c.asking(who)
	if err != nil {
		return err
	}
	if c.keep {
		return c.askForm(http.StatusOK, x)
	}
	r, sound := c.wanted(&x)
	if !sound {
		return c.askForm(http.StatusUnprocessableEntity, x)
	}
	if x.Papers && r.Centre == 0 { // the next page of the form: which centre
		return c.askForm(http.StatusOK, x)
	}
	got, err := c.s.cfg.Asking.Make(c.r.Context(), who.Reference, r)
	switch {
	case fault.CodeOf(err) == "unconfirmed": // the person's own word is enough
		if err := c.s.cfg.Records.AnswerDose(c.r.Context(), c.holder, who.Reference, r.Event, false, short(r.Detail.Text)); err != nil {
			return err
		}
		return c.see("/requests?note=dose")
	case fault.CodeOf(err) == "CARDFIRST":
		return c.refusedBy("ask.card_first")
	case fault.CodeOf(err) == "booked":
		return c.refusedBy("account.apart_booked")
	case fault.CodeOf(err) == "FIRSTDAY":
		return c.refusedBy("ask.first_day")
	case fault.Is(err, fault.Invalid):
		x.Text.Wrong = "ask.text_wrong"
		return c.askForm(http.StatusUnprocessableEntity, x)
	case err != nil:
		return err
	}
	y := view.AskedPage{Row: c.requestRow(got, who.Name), Back: "/account"}
	if r.Kind != vault.RequestMember && r.Kind != vault.RequestMove {
		y.Back = c.backTo(who.Reference)
	}
	y.Next = map[string]string{vault.RequestMember: "ask.member_next", vault.RequestMove: "ask.move_next", vault.RequestDetails: "ask.details_next"}[r.Kind]
	return c.render(http.StatusOK, view.Asked(c.page("ask.taken"), y))
}

// refusedBy says why something cannot be done here, in words of its own.
func (c *Ctx) refusedBy(text string) error {
	return c.render(http.StatusForbidden, view.Trouble(c.page("error.forbidden"), view.ProblemPage{Heading: "error.forbidden", Text: text}))
}

// short is a text as long as a dose's reason may be.
func short(text string) string {
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "")
	}
	return text
}

// wanted reads the form. What is wrong is noted beside the field.
func (c *Ctx) wanted(x *view.AskForm) (r vault.RequestMake, sound bool) {
	r = vault.RequestMake{Holder: c.holder, Key: c.form.Get("key"), Kind: x.Kind, Detail: vault.RequestDetail{Text: strings.TrimSpace(x.Text.Value)}}
	sound = true
	wrong := func(f *view.Field, id string) { f.Wrong, sound = id, false }
	if r.Key == "" || len(r.Key) > 100 {
		r.Key = newRequestKey()
	}
	if r.Detail.Text == "" {
		wrong(&x.Text, "ask.text_none")
	}
	if len(r.Detail.Text) > 1500 {
		wrong(&x.Text, "ask.text_long")
	}
	switch x.Kind {
	case vault.RequestOpening:
		r.Entry, _ = strconv.ParseInt(c.form.Get("index"), 10, 64)
	case vault.RequestDose, vault.RequestRevoke:
		r.Event = id.Event(x.Dose.Value)
		if !id.Valid(x.Dose.Value) {
			wrong(&x.Dose, "ask.dose_none")
		}
	}
	if x.Kind == vault.RequestDose {
		r.Detail.Batch = strings.TrimSpace(x.Lot.Value)
		if x.Date.Value != "" {
			day, no := dates.Typed(x.Date.Value, c.today())
			if r.Detail.Date = day; no != "" {
				wrong(&x.Date, no)
			}
		}
		if r.Detail.Batch == "" && x.Date.Value == "" {
			wrong(&x.Date, "ask.nothing")
		}
	}
	if x.Kind == vault.RequestDetails {
		c.wantedDetails(x, &r, wrong)
	}
	return r, sound
}

func (c *Ctx) wantedDetails(x *view.AskForm, r *vault.RequestMake, wrong func(*view.Field, string)) {
	if x.Name.Value != "" {
		name, err := rules.NormalizeName(x.Name.Value)
		if r.Detail.Name = name; err != nil {
			wrong(&x.Name, "ask.name_wrong")
		}
	}
	if x.Year.Value != "" {
		year, no := dates.Year(x.Year.Value, c.today())
		if r.Detail.BirthYear = year; no != "" {
			wrong(&x.Year, no)
		}
	}
	r.Detail.GenderID, _ = strconv.Atoi(x.Gender.Value)
	if x.Name.Value == "" && x.Year.Value == "" && r.Detail.GenderID == 0 {
		wrong(&x.Name, "ask.nothing")
	}
	if !x.Papers {
		return
	}
	if len(x.Centres) == 0 {
		wrong(&x.PIN, "ask.pin_wrong")
		return
	}
	for _, o := range x.Centres {
		if o.Value == x.Centre.Value {
			n, _ := strconv.ParseInt(o.Value, 10, 64)
			r.Centre = id.Centre(n)
		}
	}
}

// requestRow is a request in words.
func (c *Ctx) requestRow(r vault.Request, who string) view.RequestRow {
	row := view.RequestRow{Tracking: r.Tracking, What: kinds()[r.Kind].heading, Who: who, Made: c.day(r.At), Done: c.day(r.Done), Said: r.Detail.Text, Answer: r.Answer, State: "ask.state_received", Waits: true}
	switch r.State {
	case vault.RequestInHand:
		row.State = "ask.state_hand"
	case vault.RequestWithdrawn:
		row.State, row.Waits = "ask.state_withdrawn", false
	case vault.RequestDecided:
		row.State, row.Waits, row.Good = "ask.state_granted", false, true
		if r.Outcome == vault.RequestRefused {
			row.State, row.Good = "ask.state_refused", false
		}
		if r.Kind == vault.RequestMove {
			row.State = "ask.state_moved"
		}
	}
	if row.Waits {
		row.Due = c.moment(r.Due)
	}
	if r.Undo > c.s.cfg.Now().UnixMilli() {
		row.Undo = c.moment(r.Undo)
	}
	row.Withdraw = (row.Waits && r.Undo == 0) || row.Undo != ""
	return row
}

// requests lists what was asked for.
func requests(c *Ctx) error { return c.listed(http.StatusOK, requestNotes()[c.form.Get("note")]) }

// requestNotes are what is said of what was just done.
func requestNotes() map[string]string {
	return map[string]string{"withdrawn": "ask.note_withdrawn", "back": "leave.back_done", "dose": "ask.note_dose"}
}

func (c *Ctx) listed(status int, note string) error {
	h, err := c.s.cfg.Records.Household(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	c.waiting = h.Waiting
	list, err := c.s.cfg.Asking.List(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	names := map[id.Reference]string{}
	for _, p := range h.People {
		names[p.Reference] = p.Name
	}
	x := view.RequestsPage{Back: "/account", Note: note}
	for _, r := range list.Requests {
		x.Rows = append(x.Rows, c.requestRow(r, names[r.Reference]))
	}
	return c.render(status, view.Requests(c.page("ask.mine"), x))
}

// withdraw takes a request back.
func withdraw(c *Ctx) error {
	if c.keep {
		return c.see("/requests")
	}
	_, err := c.s.cfg.Asking.Withdraw(c.r.Context(), c.holder, c.form.Get("tracking"))
	if fault.CodeOf(err) == "FIRSTDAY" {
		return c.refusedBy("ask.first_day")
	}
	if err != nil {
		return err
	}
	return c.see("/requests?note=withdrawn")
}

// newRequestKey makes the key by which a form that is sent twice is one request.
func newRequestKey() string { return id.New() }

// formKey is the key of a form that was sent, or a new one for the form that is shown.
func (c *Ctx) formKey() string {
	if key := c.form.Get("key"); key != "" && len(key) <= 100 {
		return key
	}
	return newRequestKey()
}
