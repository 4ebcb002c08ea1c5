package portal

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
	"tikakosh/internal/portal/catalogue"
	"tikakosh/internal/portal/view"
	"tikakosh/internal/vault"
)

// ledgerPath is the page for people; the files for programs lie below it, and are the edge's.
const ledgerPath = "/ledger"

// ledgerPage is how many entries a page shows.
const ledgerPage = 20

// Leaves are what is published of the ledger's entries: size is how many there are.
type Leaves func(size, first int64, n int) ([]ledger.Commitment, error)

func ledgerRoutes() []Route { return []Route{page(ledgerPath, "ledger.page", ledgerShown, "before")} }

// ledgerShown lists the newest entries, as everybody may read them: number and fingerprint. What
// an entry says is sealed. Above it stands what staff decided in public, in words.
func ledgerShown(c *Ctx) error {
	x := view.LedgerPage{Host: c.s.cfg.PublicURL}
	text, size, err := c.s.cfg.Checkpoint()
	if err != nil {
		if c.form.Get("before") != "" {
			return err
		}
		return c.render(http.StatusOK, view.Ledger(c.page("ledger.title"), x)) // there is none yet
	}
	x.Checkpoint, x.Entries = text, catalogue.Number(size)
	end := size
	if typed := c.form.Get("before"); typed != "" {
		if end, err = strconv.ParseInt(typed, 10, 64); err != nil || end < 1 {
			return fault.New(fault.Invalid, "before", "a page begins before an entry")
		}
		if end > size { // an address that was kept from before a restore, or made up
			return fault.New(fault.NotFound, "before", "no such entries")
		}
	}
	first := max(0, end-ledgerPage)
	leaves, err := c.s.cfg.Leaves(size, first, int(end-first))
	if err != nil {
		return err
	}
	for i := len(leaves) - 1; i >= 0; i-- {
		x.Rows = append(x.Rows, view.LedgerRow{Number: catalogue.Number(first + int64(i)), Mark: hex.EncodeToString(leaves[i][:])})
	}
	if first > 0 {
		x.Older = ledgerPath + "?before=" + strconv.FormatInt(first, 10)
	}
	if x.Newer = end < size; !x.Newer {
		acts, err := c.s.cfg.State.NewestActs(c.r.Context())
		x.Unknown, x.More = err != nil, acts.More
		x.Acts = c.publicActs(acts)
	}
	return c.render(http.StatusOK, view.Ledger(c.page("ledger.title"), x))
}

// publicActs are what waits in public, or waited, in words, the newest first.
func (c *Ctx) publicActs(acts vault.SecondPersonActs) (out []view.Waiting) {
	for i := len(acts.Acts) - 1; i >= 0; i-- {
		a := acts.Acts[i]
		w := view.Waiting{What: c.say.T(waitsFor(a.Kind)), Where: c.say.T("status.since", "At", c.say.Clock(time.UnixMilli(a.At)))}
		if a.Centre != 0 {
			w.What = c.centreName(a.Centre) + ": " + w.What
		}
		switch {
		case a.Dropped:
			w.Until = c.say.T("status.dropped")
		case a.Done > 0:
			w.Until = c.say.T("status.done", "At", c.say.Clock(time.UnixMilli(a.Done)))
		default:
			w.Until = c.say.T("status.from", "At", c.say.Clock(time.UnixMilli(a.NotBefore)))
		}
		out = append(out, w)
	}
	return out
}
