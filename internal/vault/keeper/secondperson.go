package keeper

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/access/policy"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/keeper/proof"
	"tikakosh/internal/vault/keeper/release"
	"tikakosh/internal/vault/state"
)

// The rules of a second person (design.md 5).
const (
	enoughStaff   = 3              // people at a centre from whom on nothing waits
	smallWait     = 24 * time.Hour // how long a proposal of a smaller centre waits
	openProposals = 200            // of one centre at a time
	publicPage    = 200            // entries of one page of the public list
)

// viewProposal is what a proposed correction says about a person, shown to who may
// approve it.
const viewProposal = "a proposed correction of a dose"

// humanTag stands for a member of staff, whatever keys they have: keyed, so that the
// database names nobody.
func (k *Keeper) humanTag(text string) string {
	return k.keys.HumanTag(text)
}

// human is whose key a staff row is. Keys that were enrolled before people were told
// apart are their name's.
func (k *Keeper) human(staff id.Staff, row state.Staff) (string, error) {
	if row.Human != "" {
		return row.Human, nil
	}
	name, err := k.keys.Contact.Open(nil, nil, row.Name, k.keys.ContactAAD("staff", string(staff)))
	if err != nil {
		return "", state.Integrity(state.StaffKeys, "a name does not open")
	}
	return k.humanTag(string(name)), nil
}

// staffRow finds what a staff id stands for: a machine's key or a member.
func (t *txn) staffRow(s id.Staff) (row state.Staff, ok bool, err error) {
	if row, ok, err = engine.Get[state.Staff](t, state.StaffKeys, string(s)); err != nil || ok {
		return row, ok, err
	}
	return t.k.office.StaffRow(t, s)
}

// samePerson reports whether two staff keys are one human's.
func (t *txn) samePerson(a, b id.Staff) (bool, error) {
	if a == b {
		return true, nil
	}
	var tags [2]string
	for i, s := range [...]id.Staff{a, b} {
		row, ok, err := t.staffRow(s)
		if err == nil && !ok {
			err = state.Integrity(state.StaffKeys, "a staff key is missing")
		}
		if err != nil {
			return false, err
		}
		if tags[i], err = t.k.human(s, row); err != nil {
			return false, err
		}
	}
	return tags[0] == tags[1], nil
}

func staffAtKey(c id.Centre) string    { return "staff/" + itoa(int64(c)) }
func openAtKey(c id.Centre) string     { return "centre/" + itoa(int64(c)) }
func publicKey(proposal string) string { return publicPrefix + proposal }

const publicPrefix = "public/"

// staffListed is the key of the row that says that every centre's list is kept since
// its first key. Where keys are older, a list is made when it is asked for first.
const staffListed = "staff/listed"

// noteStaffAt adds a key to the list of its centre's.
func (t *txn) noteStaffAt(c id.Centre, staff id.Staff) error {
	_, whole, err := engine.Get[state.Correction](t, state.Corrections, staffListed)
	if err != nil {
		return err
	}
	if !whole {
		first, err := t.Tx.Scan(t.Ctx, state.StaffKeys, "", 1)
		if err != nil {
			return err
		}
		if whole = len(first) == 0; whole {
			if err := engine.Put(t, state.Corrections, staffListed, state.Correction{State: state.CorrectionDone, At: t.k.now().UnixMilli()}, 0); err != nil {
				return err
			}
		}
	}
	row, ok, err := engine.Get[state.Correction](t, state.Corrections, staffAtKey(c))
	if err != nil || (!ok && !whole) || slices.Contains(row.Open, string(staff)) {
		return err
	}
	if !ok {
		row = state.Correction{Centre: c, State: state.CorrectionDone, At: t.k.now().UnixMilli()}
	}
	row.Open = append(row.Open, string(staff))
	return engine.Put(t, state.Corrections, staffAtKey(c), row, 0)
}

// staffAt is every key ever enrolled for a centre.
func (t *txn) staffAt(c id.Centre) ([]string, error) {
	row, ok, err := engine.Get[state.Correction](t, state.Corrections, staffAtKey(c))
	if err != nil || ok {
		return row.Open, err
	}
	if _, whole, err := engine.Get[state.Correction](t, state.Corrections, staffListed); err != nil || whole {
		return nil, err
	}
	row = state.Correction{Centre: c, State: state.CorrectionDone, At: t.k.now().UnixMilli()}
	const page = 500
	for after := ""; ; {
		rows, err := t.Tx.Scan(t.Ctx, state.StaffKeys, after, page)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			after = r.Key
			s, _, err := engine.Get[state.Staff](t, state.StaffKeys, r.Key)
			if err != nil {
				return nil, err
			}
			if s.Centre == c {
				row.Open = append(row.Open, r.Key)
			}
		}
		if len(rows) < page {
			return row.Open, engine.Put(t, state.Corrections, staffAtKey(c), row, 0)
		}
	}
}

// small reports whether fewer than three people work at a centre.
func (t *txn) small(c id.Centre) (bool, error) {
	keys, err := t.staffAt(c)
	if err != nil {
		return false, err
	}
	people := map[string]bool{}
	for _, key := range keys {
		row, ok, err := engine.Get[state.Staff](t, state.StaffKeys, key)
		if err != nil {
			return false, err
		}
		if !ok || !row.Active || row.Centre != c {
			continue
		}
		tag, err := t.k.human(id.Staff(key), row)
		if err != nil {
			return false, err
		}
		people[tag] = true
	}
	if err := t.k.office.HumansAt(t, c, people); err != nil {
		return false, err
	}
	return len(people) < enoughStaff, nil
}

// proposed keeps a proposal where the second person finds it, and decides whether it
// waits: then it is on the public list from now on.
func (t *txn) proposed(name string, row state.Correction) error {
	small, err := t.small(row.Centre)
	if err != nil {
		return err
	}
	if small {
		row.NotBefore = row.At + smallWait.Milliseconds()
		public := state.Correction{Centre: row.Centre, Kind: row.Kind, State: state.CorrectionOpen, At: row.At, NotBefore: row.NotBefore}
		if err := engine.Put(t, state.Corrections, publicKey(name), public, 0); err != nil {
			return err
		}
	}
	open, _, err := engine.Get[state.Correction](t, state.Corrections, openAtKey(row.Centre))
	if err != nil {
		return err
	}
	if len(open.Open) >= openProposals {
		if open.Open, err = t.stillOpen(open.Open); err != nil {
			return err
		}
		if len(open.Open) >= openProposals {
			return fault.New(fault.Conflict, "many", "too many corrections of this centre wait for a second person; approve those first")
		}
	}
	open.Centre, open.State, open.At = row.Centre, state.CorrectionDone, row.At
	open.Open = append(open.Open, name)
	if err := engine.Put(t, state.Corrections, openAtKey(row.Centre), open, 0); err != nil {
		return err
	}
	return engine.Put(t, state.Corrections, name, row, 0)
}

// stillOpen drops the proposals that were carried out or are too old.
func (t *txn) stillOpen(names []string) ([]string, error) {
	kept := make([]string, 0, len(names))
	for _, name := range names {
		row, ok, err := engine.Get[state.Correction](t, state.Corrections, name)
		if err != nil {
			return nil, err
		}
		if ok && row.State == state.CorrectionOpen && t.k.now().UnixMilli()-row.At <= correctionLife.Milliseconds() {
			kept = append(kept, name)
		}
	}
	return kept, nil
}

// approved ends a proposal: it leaves the list of those that wait, and the public
// list says when it was carried out.
func (t *txn) approved(name string, row state.Correction, second id.Staff) error {
	row.State, row.Second = state.CorrectionDone, second
	open, ok, err := engine.Get[state.Correction](t, state.Corrections, openAtKey(row.Centre))
	if err != nil {
		return err
	}
	if i := slices.Index(open.Open, name); ok && i >= 0 {
		open.Open = slices.Delete(open.Open, i, i+1)
		if err := engine.Put(t, state.Corrections, openAtKey(row.Centre), open, 0); err != nil {
			return err
		}
	}
	if row.NotBefore > 0 {
		public, ok, err := engine.Get[state.Correction](t, state.Corrections, publicKey(name))
		if err == nil && !ok {
			err = state.Integrity(state.Corrections, "an entry of the public list is missing")
		}
		if err != nil {
			return err
		}
		public.State, public.Done = state.CorrectionDone, t.k.now().UnixMilli()
		if err := engine.Put(t, state.Corrections, publicKey(name), public, 0); err != nil {
			return err
		}
	}
	return engine.Put(t, state.Corrections, name, row, 0)
}

// mayApprove reports why the owner of a key may not be the second person now.
func (t *txn) mayApprove(row state.Correction, second id.Staff) error {
	if ablate.Off(ablate.SecondPerson) {
		return nil
	}
	same, err := t.samePerson(row.By, second)
	if err != nil {
		return err
	}
	if same {
		return fault.New(fault.Forbidden, "second", "somebody else approves what you proposed")
	}
	if err := t.k.office.MaySecond(t, second); err != nil {
		return err
	}
	if by, _, err := t.staffRow(row.By); err != nil {
		return err
	} else if !by.Active { // perhaps ended because it was stolen
		return fault.New(fault.Conflict, "ended", "the key that proposed this was ended since; propose it again")
	}
	if wait := row.NotBefore - t.k.now().UnixMilli(); wait > 0 {
		return &fault.Error{Kind: fault.Conflict, Code: "wait", Text: "this centre has fewer than three members of staff: what was proposed is approved 24 hours later, and is on the public list meanwhile",
			RetryAfter: time.Duration(wait) * time.Millisecond}
	}
	return nil
}

// listAsked reads what a signed request for the list asks for from its address: the
// centre and, if it is to be shown, one proposal.
func listAsked(s vault.Signed) (c id.Centre, proposal string, err error) {
	u, err := url.Parse(s.URL)
	if err != nil || !strings.HasSuffix(u.Path, vault.RouteCorrections) || len(s.Body) > 0 {
		return 0, "", proof.Bad("the proof is for another request")
	}
	n, err := strconv.ParseInt(u.Query().Get("center_id"), 10, 64)
	if err != nil || n <= 0 {
		return 0, "", fault.New(fault.Invalid, "USRRES0001", "Input parameter missing: center_id")
	}
	proposal = u.Query().Get("correction_id")
	if proposal != "" && !id.Valid(proposal) {
		return 0, "", fault.New(fault.Invalid, "USRRES0001", "correction_id is not an id of a correction")
	}
	return id.Centre(n), proposal, nil
}

// Corrections implements the vault's word: what waits at a centre for a second
// person, for one of its managers. The list names nobody and is an entry; what one
// proposal says is shown alone, and is an opening of the person it names.
func (k *Keeper) Corrections(ctx context.Context, r vault.CorrectionsRequest) (vault.Corrections, error) {
	centre, proposal, err := listAsked(r.Signed)
	if err != nil {
		return vault.Corrections{}, err
	}
	out := vault.Corrections{}
	receipts, err := k.update(ctx, func(t *txn) error {
		out = vault.Corrections{Waiting: []vault.WaitingCorrection{}}
		staff, row, err := t.Proven(r.Signed)
		if err != nil {
			return err
		}
		permit := t.k.permits.May(row, policy.Corrections, centre, policy.Facts{})
		if !permit.Allowed() {
			return forbiddenAt("the manager")
		}
		open, _, err := engine.Get[state.Correction](t, state.Corrections, openAtKey(centre))
		if err != nil {
			return err
		}
		names, err := t.stillOpen(open.Open)
		if err != nil {
			return err
		}
		if proposal != "" {
			shows := t.k.permits.Opens(row, centre, viewProposal, policy.Facts{Evidence: policy.EvidenceCorrection})
			if !shows.Shows(viewProposal) {
				return forbiddenAt("the manager")
			}
			return t.showProposal(staff, names, proposal, shows, &out)
		}
		for _, name := range names {
			w, _, err := t.waiting(staff, name)
			if err != nil {
				return err
			}
			out.Waiting = append(out.Waiting, w)
		}
		t.Append(engine.Entry{Kind: "list", View: "corrections that wait", Role: roleManager, Actor: string(staff), Reason: strconv.Itoa(len(names)) + " rows", Policy: permit.Policies()})
		return nil
	})
	out.Receipts = receipts
	return out, err
}

// waiting is one row of the list.
func (t *txn) waiting(staff id.Staff, name string) (vault.WaitingCorrection, state.Correction, error) {
	row, _, err := engine.Get[state.Correction](t, state.Corrections, name)
	if err != nil {
		return vault.WaitingCorrection{}, row, err
	}
	same, err := t.samePerson(row.By, staff)
	return vault.WaitingCorrection{ID: name, Kind: row.Kind, By: row.By, Mine: same, At: row.At, NotBefore: max(row.NotBefore, row.At),
		Expires: row.At + correctionLife.Milliseconds()}, row, err
}

// showProposal releases what one proposal says.
func (t *txn) showProposal(staff id.Staff, names []string, name string, permit policy.Permit, out *vault.Corrections) error {
	if !slices.Contains(names, name) {
		return fault.New(fault.NotFound, "correction", "no such proposal at this centre")
	}
	w, row, err := t.waiting(staff, name)
	if err != nil {
		return err
	}
	body, err := t.k.keys.Contact.Open(nil, nil, row.Body, t.k.keys.ContactAAD("correction", name))
	if err != nil {
		return state.Integrity(state.Corrections, "a proposal does not open")
	}
	c, err := parseCorrection(body)
	if err != nil {
		return err
	}
	c.ID = name
	raw, err := json.Marshal(c)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "correction")
	}
	w.Body = string(raw)
	out.Waiting = append(out.Waiting, w)
	viewID := release.NewViewID()
	out.ViewRef = t.k.release.ViewRef(viewID)
	e := engine.Entry{Kind: "list", View: viewProposal, Role: roleManager, Actor: string(staff), Reason: c.Kind, Evidence: name, ViewID: viewID, Policy: permit.Policies()}
	if row.Person != "" {
		p, err := t.Person(row.Person)
		if err != nil {
			return err
		}
		e.Kind, e.Person, e.House = "opening", row.Person, p.Household
	}
	t.Append(e)
	return nil
}

// SecondPersonActs implements the vault's word: the public list of what waits, or
// waited, at centres with fewer than three members of staff. It names no person.
func (k *Keeper) SecondPersonActs(ctx context.Context, r vault.SecondPersonRequest) (vault.SecondPersonActs, error) {
	if r.After != "" && !id.Valid(r.After) {
		return vault.SecondPersonActs{}, fault.New(fault.Invalid, "USRRES0001", "after is the id of the last entry of the page before")
	}
	var out vault.SecondPersonActs
	err := k.view(ctx, func(t *txn) error {
		out = vault.SecondPersonActs{Acts: []vault.SecondPersonAct{}}
		// Ids begin with their time (UUIDv7), so that the list begins a proposal's life ago.
		since := k.now().Add(-correctionLife).UnixMilli()
		after := max(fmt.Sprintf("%08x-%04x", since>>16, since&0xffff), r.After)
		rows, err := t.Tx.Scan(t.Ctx, state.Corrections, publicPrefix+after, publicPage)
		if err != nil {
			return err
		}
		for _, s := range rows {
			name, ok := strings.CutPrefix(s.Key, publicPrefix)
			if !ok {
				return nil
			}
			row, _, err := engine.Get[state.Correction](t, state.Corrections, s.Key)
			if err != nil {
				return err
			}
			figures, err := k.changes.Figures(t.Engine(), name)
			if err != nil {
				return err
			}
			out.Acts = append(out.Acts, vault.SecondPersonAct{Figures: figures, ID: name, Centre: row.Centre, Kind: row.Kind, At: row.At, NotBefore: row.NotBefore, Done: row.Done,
				Digest: row.Sum, Dropped: row.State == state.ProposalWithdrawn || row.State == state.ChangeLapsed})
		}
		out.More = len(rows) == publicPage
		return nil
	})
	return out, err
}
