package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"tikakosh/internal/ablate"
	"tikakosh/internal/backup"
	"tikakosh/internal/fault"
	"tikakosh/internal/ledger"
	"tikakosh/internal/vault/keeper"
)

// order compares the copy with the newest head of the ledger that is known, and
// says what the vault's first start has to put on the ledger.
func (c *restoreCmd) order(ctx context.Context, r *restored) (keeper.RestoreOrder, error) {
	o := keeper.RestoreOrder{Origin: r.m.Origin, Set: r.m.Set, Manifest: r.digest, Made: r.m.Made, Ledger: r.m.LedgerSize, Known: "only copy"}
	var newest ledger.Checkpoint
	switch {
	case c.Ledger != "":
		o.Known = "ledger"
		rep, err := ledger.VerifyWith(ctx, c.Ledger, r.vkey, r.chains...)
		if err != nil {
			return o, err
		}
		newest = ledger.Checkpoint{Size: rep.Size, Root: rep.Root}
	case c.Checkpoint != "":
		o.Known = "checkpoint"
		raw, err := os.ReadFile(c.Checkpoint)
		if err != nil {
			return o, err
		}
		if newest, err = r.opens(string(raw)); err != nil {
			return o, err
		}
	default:
		return o, nil
	}
	if newest.Size > uint64(r.m.LedgerSize) && !ablate.Off(ablate.RestoreGap) {
		return c.withGap(ctx, r, o, newest)
	}
	newest.Size = min(newest.Size, uint64(r.m.LedgerSize))
	if ablate.Off(ablate.RestoreGap) {
		return o, nil
	}
	roots, err := ledger.Roots(ctx, entries{r.vault}, newest.Size)
	if err == nil && roots[newest.Size] != newest.Root {
		err = fault.New(fault.Integrity, "ledger", "the known ledger is not a beginning of the set's: one of them is another history")
	}
	return o, err
}

// withGap is an order for a set that is behind: with the lost entries' leaves and
// the approvals of two people. The vault judges both again, under its own keys.
func (c *restoreCmd) withGap(ctx context.Context, r *restored, o keeper.RestoreOrder, newest ledger.Checkpoint) (keeper.RestoreOrder, error) {
	if len(c.GapApproval) < 2 {
		return o, behind(r.m.LedgerSize, newest.Size)
	}
	if c.Ledger == "" {
		return o, fault.New(fault.Integrity, "behind", "the set is behind the checkpoint: to go on as one ledger the published files of the lost entries are needed, give --ledger (the old folder's, a mirror's, or anybody's copy of /ledger/)")
	}
	raw, _, err := ledger.PublishedCheckpoint(c.Ledger)
	if err != nil {
		return o, err
	}
	chain, err := ledger.PublishedKeychain(c.Ledger) // after the checkpoint: it may be one change ahead
	if err != nil {
		return o, err
	}
	g := &keeper.Gap{Checkpoint: raw, Keychain: string(chain)}
	if g.Lost, err = ledger.PublishedLeaves(c.Ledger, uint64(r.m.LedgerSize), newest.Size); err != nil {
		return o, err
	}
	for _, file := range c.GapApproval {
		raw, err := os.ReadFile(file)
		if err != nil {
			return o, err
		}
		var a approval
		if err := json.Unmarshal(raw, &a); err != nil || a.Proof == "" {
			return o, badConfig("%s is no approval", file)
		}
		g.Approvals = append(g.Approvals, a.Proof)
	}
	roots, err := ledger.Roots(ctx, continuedBy{entries{r.vault}, r.m.LedgerSize, g.Lost}, newest.Size)
	if err == nil && roots[newest.Size] != newest.Root {
		err = fault.New(fault.Integrity, "ledger", "the known ledger does not continue the set's: one of them is another history")
	}
	o.Gap = g
	return o, err
}

// continuedBy is the ledger of a copy with the leaves that it lacks after it.
type continuedBy struct {
	entries
	have int64
	lost [][]byte
}

// Leaves implements ledger.Source.
func (c continuedBy) Leaves(ctx context.Context, from uint64, limit int) ([][]byte, error) {
	if at := int64(from) - c.have; at >= 0 {
		lost := c.lost[min(at, int64(len(c.lost))):]
		return lost[:min(limit, len(lost))], nil
	}
	return c.entries.Leaves(ctx, from, int(min(int64(limit), c.have-int64(from))))
}

func behind(have int64, known uint64) error {
	return fault.Newf(fault.Integrity, "behind", "the set has %d ledger entries, %d are known to have been published: what happened in between would be lost. "+
		"Restore a newer set; if there is none, two people must approve the gap (tikakosh restore-approve)", have, known)
}

// approval is a custodian's signature in a file.
type approval struct {
	Statement keeper.GapStatement `json:"statement"`
	Proof     string              `json:"proof"`
}

type approveCmd struct {
	Key       string `required:"" type:"existingfile" help:"The custodian's key file."`
	From      string `type:"existingfile" help:"The backup set that is to go live."`
	Recovered int64  `placeholder:"N" help:"In place of a set: the number of ledger entries of a database that its server brought to a point in time (tikakosh recovered prints it)."`
	Ledger    string `required:"" type:"existingdir" help:"Folder with the newest published files of the ledger."`
	Vkey      string `help:"The ledger's verifier key, as text or file; default: the one in --ledger."`
	Out       string `required:"" help:"Where to write the approval."`
}

// Run implements the command. It opens nothing of the set.
func (c *approveCmd) Run() error {
	r := restoreCmd{Ledger: c.Ledger, Vkey: c.Vkey}
	vkey, err := r.verifierKey()
	if err != nil {
		return err
	}
	if vkey == "" {
		return badConfig("no verifier key: give --vkey")
	}
	m, digest, err := c.subject(vkey)
	if err != nil {
		return err
	}
	rep, err := ledger.Verify(context.Background(), c.Ledger, vkey)
	if err != nil {
		return err
	}
	if rep.Size <= uint64(m.LedgerSize) {
		return fault.New(fault.Conflict, "gap", "the set is not behind these files: it needs no approval")
	}
	a := approval{Statement: keeper.GapStatement{Set: m.Set, Manifest: digest, Origin: m.Origin, Have: m.LedgerSize, Known: rep.Size, Root: rep.Root.String()}}
	statement, err := a.Statement.Bytes()
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(c.Key)
	if err != nil {
		return err
	}
	var kf keyFile
	if err := json.Unmarshal(raw, &kf); err != nil {
		return fmt.Errorf("key file %s is malformed", c.Key)
	}
	if a.Proof, err = dpop(kf.Key, keeper.GapMethod, keeper.GapURL, statement, "", time.Now()); err != nil {
		return err
	}
	if raw, err = json.MarshalIndent(a, "", "  "); err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, append(raw, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Printf("signed by %s: %s of %s goes live although %d ledger entries after its %d are lost\n", kf.Staff, c.named(m), m.Made, rep.Size-uint64(m.LedgerSize), m.LedgerSize)
	return nil
}

// subject is what the custodian signs for: a set, or a recovered database, and its
// digest.
func (c *approveCmd) subject(vkey string) (m backup.Manifest, digest string, err error) {
	if (c.From == "") == (c.Recovered == 0) {
		return m, "", badConfig("give --from SET, or --recovered N for a database that was recovered to a point in time")
	}
	if c.From == "" {
		return c.recovered(context.Background(), vkey)
	}
	f, err := os.Open(c.From)
	if err != nil {
		return m, "", err
	}
	defer f.Close()
	body, signed, err := backup.Inspect(f)
	if err != nil {
		return m, "", err
	}
	var set restored
	if set.chains, err = ledger.PublishedChanges(c.Ledger); err == nil {
		err = set.verify(body, signed, vkey)
	}
	if err != nil {
		return m, "", err
	}
	text, err := set.m.Text()
	return set.m, digestOf([]byte(text)), err
}

func (c *approveCmd) named(m backup.Manifest) string {
	if c.From == "" {
		return "the " + m.Set
	}
	return "the set " + m.Set
}
