package vault

import "tikakosh/internal/id"

// The ends of the addresses of break-glass (ADR 38).
const (
	RouteGlass        = "/staff/break-glass"
	RouteGlassApprove = RouteGlass + "/approve"
	RouteGlassOpen    = RouteGlass + "/open"
	RouteGlassWaiting = RouteGlass + "/waiting"
)

// GlassRequest asks to break the glass. Whom it is about is in the signed body: a
// reference number, a card or a row of the day's list. Person is who the registry has
// under that number, "" for nobody or where no number is named.
type GlassRequest struct {
	Signed Signed
	Person id.Person
}

// GlassAct is a signed request about one that was made before, or for a list of them.
type GlassAct struct{ Signed Signed }

// Glass is one request. About is what it names, as the second member of staff reads and
// signs it. Expires in Unix milliseconds.
type Glass struct {
	ID       string
	About    string
	Reason   string
	Expires  int64
	Due      int64 `json:",omitempty"` // of a re-link that two signed: from when on it can be ended
	Receipts []string
}

// GlassOpenRequest carries out a request that was approved. Record is what the registry
// has of its person.
type GlassOpenRequest struct {
	Signed Signed
	Record Record
}

// GlassWhom names the person of a request by their random id; "" when there is none.
type GlassWhom struct{ Person id.Person }

// GlassList is what waits at a centre, or what was done, the oldest first. Left is how
// many the asker may still open today; of what waits only. After leads to the next page.
type GlassList struct {
	Rows     []GlassRow
	Left     int
	After    string
	Receipts []string
}

// GlassRow is one of them. Times in Unix milliseconds, 0 for never. About is empty in
// the list of what was done: nobody is named there.
type GlassRow struct {
	ID      string
	Kind    string
	State   string
	Centre  id.Centre
	Place   string
	About   string
	Reason  string
	By      id.Staff
	Second  id.Staff
	Mine    bool
	At      int64
	Agreed  int64
	Done    int64
	Expires int64
	Due     int64 `json:",omitempty"`
}
