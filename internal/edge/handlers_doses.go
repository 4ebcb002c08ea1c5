package edge

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/registry"
	"tikakosh/internal/registry/rules"
	"tikakosh/internal/vault"
)

// Doses is the registry's part in dose events beyond V5 with evidence.
type Doses interface {
	WriteDose(ctx context.Context, w registry.Written, ref id.Reference) error
	Doses(ctx context.Context, h vault.Holder) (vault.Doses, error)
	AnswerDose(ctx context.Context, h vault.Holder, ref id.Reference, event id.Event, confirm bool, reason string) error
	StaffDoses
}

// StaffDoses is what staff do with dose events.
type StaffDoses interface {
	Unmatched(ctx context.Context, signed vault.Signed, c id.Centre) (vault.Unmatched, error)
	Propose(ctx context.Context, signed vault.Signed, ref id.Reference) (vault.Proposed, error)
	Approve(ctx context.Context, signed vault.Signed, c id.Centre, event id.Event, ref id.Reference, assign bool) error
	RecordGiven(ctx context.Context, signed vault.Signed, ref id.Reference) error
}

func doseRoutes() []Route {
	post := func(path string, a Audience, action string, h func(*Ctx) error) Route {
		return Route{Method: "POST", Path: path, Audience: a, Action: action, Rate: RateSelf, ContentType: typeJSON, BodyLimit: bodySmall, Own: true, Handler: h}
	}
	return []Route{
		{Method: "GET", Path: "/api/v3/doses", Audience: Holder, Action: "person.doses", Rate: RateSelf, ContentType: typeJSON, Handler: listDoses},
		post("/api/v3/doses/confirm", Holder, "person.dose.confirm", answerDose(true)),
		post("/api/v3/doses/dispute", Holder, "person.dose.dispute", answerDose(false)),
		post("/api/v3/staff/doses", Staff, "staff.dose.record", recordGiven),
		post("/api/v3/staff/doses/unmatched", Staff, "staff.doses.unmatched", unmatched),
		post("/api/v3/staff/corrections", Staff, "staff.correction.propose", propose),
		post("/api/v3/staff/corrections/approve", Staff, "staff.correction.approve", approve),
	}
}

// doseBody is the body of V5 (contract.md 1.7) and of its own-route form. The
// vault reads it itself; what is looked at here is form.
type doseBody struct {
	Reference  loose    `json:"beneficiary_reference_id"`
	Centre     loose    `json:"center_id"`
	Vaccine    string   `json:"vaccine"`
	Batch      string   `json:"vaccine_batch"`
	Dose       loose    `json:"dose"`
	Date1      string   `json:"dose1_date"`
	Date2      string   `json:"dose2_date"`
	Date       string   `json:"dose_date"`
	Vaccinator personal `json:"vaccinator_name"`
	Code       loose    `json:"security_code"`
	Card       personal `json:"card"`
	Txn        string   `json:"txnId"`
	OTP        string   `json:"otp"`
}

// evident reports whether the body brings something of the person's.
func (b doseBody) evident() bool { return b.Code != "" || b.Card != "" || b.Txn != "" || b.OTP != "" }

// form is the centre of a dose whose form is right.
func (b doseBody) form() (id.Centre, error) {
	centre, err := strconv.ParseInt(string(b.Centre), 10, 64)
	if err != nil || centre <= 0 {
		return 0, missing("center_id")
	}
	if _, ok := rules.LookupProduct(b.Vaccine); !ok {
		return 0, fault.New(fault.Invalid, "unknown_product", "vaccine is not one of the listed products")
	}
	dose, err := strconv.Atoi(string(b.Dose))
	if err != nil || dose < 1 || dose > 9 {
		return 0, missing("dose")
	}
	date := b.Date
	if date == "" {
		date = b.Date1
		if dose == 2 || date == "" {
			date = b.Date2
		}
	}
	if _, err := civil.ParseIndian(date); err != nil {
		return 0, err
	}
	if _, err := rules.ParseLot(b.Batch); err != nil {
		return 0, err
	}
	if _, err := rules.NormalizeName(string(b.Vaccinator)); err != nil {
		return 0, missing("vaccinator_name")
	}
	return id.Centre(centre), nil
}

// vaultPatience is how long a vaccinator waits for a vault that does not answer,
// before the dose is kept for it.
const vaultPatience = 8 * time.Second

// vaccinate is V5, a signed staff request. With evidence of the person the vault
// judges it at once, or later when it cannot be reached. Without, it is write-only
// (I9): sealed to the vault and kept, whether the vault is there or not and whoever
// the number names.
func vaccinate(c *Ctx) error {
	var in doseBody
	if err := c.decode(&in); err != nil {
		return err
	}
	ref, err := reference(string(in.Reference))
	if err != nil {
		return err
	}
	if in.evident() {
		ctx, cancel := context.WithTimeout(c.r.Context(), vaultPatience)
		err = c.s.cfg.People.RecordDose(ctx, c.staff, ref)
		cancel()
	}
	if !in.evident() || fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Unknown) { // recorded twice, it is once
		err = c.writeDose(in, ref)
	}
	if err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *Ctx) writeDose(in doseBody, ref id.Reference) error {
	centre, err := in.form()
	if err != nil {
		return err
	}
	now := c.s.cfg.Now()
	name, err := checkProof(c.staff, now)
	if err != nil {
		return err
	}
	ok, known := c.s.staff.has(c.r.Context(), c.s.cfg.Codes, name, now)
	if known && !ok { // the list is a few seconds old at most: whoever signed in since is the vault's to know
		if _, err := c.s.cfg.Codes.StaffCheck(c.r.Context(), vault.StaffCheckRequest{Signed: c.staff}); err != nil {
			return fault.New(fault.Unauthorized, "proof", "a DPoP proof of a staff key is wanted")
		}
	}
	who := "key/" + name
	if !known { // nobody can say whose key it is: bounded by where it comes from
		who = "from/" + c.origin
	}
	if wait := c.s.writes.take(who, now); wait > 0 {
		return &fault.Error{Kind: fault.RateLimited, Code: "", Text: "Too many requests. Please wait.", RetryAfter: wait}
	}
	keys, err := c.s.known()
	if err != nil {
		return err
	}
	w := registry.Written{Event: vault.InboxEvent(c.staff.Proof), Centre: centre, Received: now.UnixMilli()}
	if w.Sealed, err = vault.SealInbox(keys.vault.Inbox, keys.vault.Realm, w.Event, vault.InboxItem{Signed: c.staff, Received: w.Received}); err != nil {
		return err
	}
	return c.s.cfg.Doses.WriteDose(c.r.Context(), w, ref)
}

// newWrites is the limit of doses without evidence per staff key: two a minute
// is a fast hand, and a paper list of a whole session may be typed at once.
func newWrites(off bool) *limiter {
	l := newLimits(off)[RateSelf]
	if l != nil {
		l.every, l.burst = 10*time.Second, 200*10*time.Second
	}
	return l
}

// wireDose is one dose event as its person sees it.
type wireDose struct {
	Reference string `json:"beneficiary_reference_id"`
	Event     string `json:"event_id"`
	Vaccine   string `json:"vaccine"`
	Batch     string `json:"vaccine_batch"`
	Dose      int    `json:"dose"`
	Date      string `json:"date"`
	Place     string `json:"place"`
	Source    string `json:"source"`
	Country   string `json:"country"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	Recorded  string `json:"recorded_at"`
	Changes   int    `json:"changes"`
}

// listDoses shows every dose event of the household: GET /api/v3/doses.
func listDoses(c *Ctx) error {
	got, err := c.s.cfg.Doses.Doses(c.r.Context(), c.holder)
	if err != nil {
		return err
	}
	out := struct {
		Doses    []wireDose `json:"doses"`
		Withheld []string   `json:"withheld"`
		ViewRef  string     `json:"view_ref"`
		Receipts []string   `json:"receipts"`
	}{Doses: []wireDose{}, Withheld: texts(got.Withheld), ViewRef: got.ViewRef, Receipts: append([]string{}, got.Receipts...)}
	for _, d := range got.Events {
		out.Doses = append(out.Doses, wireDose{Reference: string(d.Reference), Event: string(d.Event), Vaccine: d.Product, Batch: d.Lot, Dose: d.Sequence,
			Date: d.Day.Indian(), Place: d.Place, Source: d.Source, Country: d.Country, Status: d.Status, Reason: d.Reason, Recorded: instant(d.Recorded), Changes: d.Changes})
	}
	c.shown(got.ViewRef)
	return c.json(out)
}

// answerDose is the holder's answer to a dose that was recorded without evidence.
func answerDose(confirm bool) func(*Ctx) error {
	return func(c *Ctx) error {
		var in struct {
			Reference loose    `json:"beneficiary_reference_id"`
			Event     string   `json:"event_id"`
			Reason    personal `json:"reason"`
		}
		if err := c.decode(&in); err != nil {
			return err
		}
		ref, err := reference(string(in.Reference))
		if err != nil {
			return err
		}
		if err := eventID(in.Event); err != nil {
			return err
		}
		if !confirm && in.Reason == "" {
			return missing("reason")
		}
		if err := c.s.cfg.Doses.AnswerDose(c.r.Context(), c.holder, ref, id.Event(in.Event), confirm, string(in.Reason)); err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// recordGiven records a dose with evidence that needs no booking: given here
// today, or before, or abroad.
func recordGiven(c *Ctx) error {
	var in struct {
		doseBody
		Source  string `json:"source"`
		Country string `json:"country"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	ref, err := reference(string(in.Reference))
	if err != nil {
		return err
	}
	if err := c.s.cfg.Doses.RecordGiven(c.r.Context(), c.staff, ref); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// unmatched lists a centre's doses without a person to its manager.
func unmatched(c *Ctx) error {
	var in struct {
		Centre int64 `json:"center_id"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Centre <= 0 {
		return missing("center_id")
	}
	got, err := c.s.cfg.Doses.Unmatched(c.r.Context(), c.staff, id.Centre(in.Centre))
	if err != nil {
		return err
	}
	type row struct {
		Event      string `json:"event_id"`
		Typed      string `json:"beneficiary_reference_id"`
		Centre     int64  `json:"center_id"`
		Vaccine    string `json:"vaccine"`
		Batch      string `json:"vaccine_batch"`
		Dose       int    `json:"dose"`
		Date       string `json:"date"`
		Vaccinator string `json:"vaccinator_name"`
		Received   string `json:"received_at"`
	}
	out := struct {
		Doses    []row    `json:"doses"`
		Receipts []string `json:"receipts"`
	}{[]row{}, append([]string{}, got.Receipts...)}
	for _, d := range got.Doses {
		out.Doses = append(out.Doses, row{string(d.Event), string(d.Typed), int64(d.Centre), d.Product, d.Lot, d.Sequence, d.Day.Indian(), d.Vaccinator, instant(d.Received)})
	}
	return c.json(out)
}

// correctionBody is a proposal or its approval. The vault reads it itself.
type correctionBody struct {
	ID        string   `json:"correction_id"`
	Kind      string   `json:"kind"`
	Centre    int64    `json:"center_id"`
	Event     string   `json:"event_id"`
	Reference loose    `json:"beneficiary_reference_id"`
	Vaccine   string   `json:"vaccine"`
	Batch     string   `json:"vaccine_batch"`
	Dose      int      `json:"dose"`
	Date      string   `json:"date"`
	Seen      bool     `json:"person_seen"`
	Name      personal `json:"name"`
	BirthYear int      `json:"birth_year"`
	BirthDate personal `json:"birth_date"`
	GenderID  int      `json:"gender_id"`
	Reason    personal `json:"reason"`
}

func (c *Ctx) correction() (in correctionBody, ref id.Reference, err error) {
	if err := c.decode(&in); err != nil {
		return in, "", err
	}
	if ref, err = reference(string(in.Reference)); err != nil {
		return in, "", err
	}
	switch {
	case in.Kind == "":
		return in, "", missing("kind")
	case in.Centre <= 0:
		return in, "", missing("center_id")
	case in.Reason == "":
		return in, "", missing("reason")
	}
	if in.Kind == "details" && in.Event == "" { // it names no dose
		return in, ref, nil
	}
	return in, ref, eventID(in.Event)
}

// eventID reports why a text is not the id of a dose event.
func eventID(text string) error {
	if text == "" {
		return missing("event_id")
	}
	if !id.Valid(text) {
		return fault.New(fault.Invalid, "USRRES0001", "event_id is not an id of a dose event, as the list of doses has it")
	}
	return nil
}

// propose keeps a manager's correction until a second person approves it.
func propose(c *Ctx) error {
	_, ref, err := c.correction()
	if err != nil {
		return err
	}
	got, err := c.s.cfg.Doses.Propose(c.r.Context(), c.staff, ref)
	if err != nil {
		return err
	}
	return c.json(map[string]string{"correction_id": got.Correction, "receipt": got.Receipt})
}

// approve carries a correction out.
func approve(c *Ctx) error {
	in, ref, err := c.correction()
	if err != nil {
		return err
	}
	if in.ID == "" {
		return missing("correction_id")
	}
	if !id.Valid(in.ID) {
		return fault.New(fault.Invalid, "USRRES0001", "correction_id is not an id of a correction")
	}
	if err := c.s.cfg.Doses.Approve(c.r.Context(), c.staff, id.Centre(in.Centre), id.Event(in.Event), ref, in.Kind == "assign"); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
