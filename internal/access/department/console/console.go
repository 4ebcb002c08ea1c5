// Package console is what the operator does about departments whose staff sign in at
// their own identity provider (ADR 37), with what is printed of it.
package console

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tikakosh/internal/access/department"
	"tikakosh/internal/access/exchange"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// Vault are the operator's words of the vault about departments; vault.Client has them.
type Vault interface {
	DepartmentSet(ctx context.Context, r vault.DepartmentRequest) (vault.DepartmentStates, error)
	DepartmentEnd(ctx context.Context, r vault.DepartmentRequest) (vault.DepartmentStates, error)
	DepartmentList(ctx context.Context) (vault.DepartmentStates, error)
	StaffSync(ctx context.Context, r vault.StaffSync) (vault.StaffSynced, error)
}

// Keys fetches a provider's addresses and keys into a department's file, and prints
// which keys are new, kept and gone. The file is replaced at once or not at all.
func Keys(ctx context.Context, file string, out io.Writer) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var whole map[string]json.RawMessage
	var have struct {
		Issuer string            `json:"issuer"`
		Keys   []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(raw, &whole) != nil || json.Unmarshal(raw, &have) != nil || have.Issuer == "" {
		return fault.Newf(fault.Invalid, "department", "%s is no JSON object with an issuer", file)
	}
	found, err := exchange.Find(ctx, have.Issuer)
	if err != nil {
		return err
	}
	if len(found.Keys) == 0 {
		return fault.New(fault.Invalid, "department", "the provider has no key for ES256 (P-256), RS256 (2048 bits) or EdDSA (Ed25519)")
	}
	var old []string
	for _, raw := range have.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) == nil {
			old = append(old, thumb(k))
		}
	}
	for _, k := range found.Keys {
		word, name := "new", thumb(k)
		if i := slices.Index(old, name); i >= 0 {
			word, old = "kept", slices.Delete(old, i, i+1)
		}
		fmt.Fprintf(out, "%s\t%s\t%q\n", word, name, k.KeyID)
	}
	for _, name := range old {
		fmt.Fprintf(out, "gone\t%s\n", name)
	}
	for name, v := range map[string]any{"keys": found.Keys, "authorization_endpoint": found.Authorize, "token_endpoint": found.Token} {
		if whole[name], err = json.Marshal(v); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(whole, "", "  ")
	if err != nil {
		return err
	}
	next := file + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(next, file)
}

func thumb(k jose.JSONWebKey) string {
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Set hands a department's file to the vault and prints what became of it.
func Set(ctx context.Context, v Vault, file string, out io.Writer) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	c, err := department.Parse(raw)
	if err != nil {
		return err
	}
	got, err := v.DepartmentSet(ctx, vault.DepartmentRequest{Config: raw})
	if err != nil {
		return err
	}
	for _, d := range got.List {
		if d.ID != c.ID {
			continue
		}
		if d.Ended > 0 {
			fmt.Fprintf(out, "ended\t%d sessions: something was taken away\n", d.Ended)
		}
		if d.Waiting == "" {
			fmt.Fprintf(out, "in force\t%s\n", d.InForce)
			continue
		}
		fmt.Fprintf(out, "waits\t%s\tproposal %s\nA national administrator compares that digest and approves at the staff client, from %s on; where there is none, staff approve does.\n",
			d.Waiting, d.Proposal, time.UnixMilli(d.From).UTC().Format("2006-01-02 15:04 UTC"))
	}
	return nil
}

// List prints all departments.
func List(ctx context.Context, v Vault, out io.Writer) error {
	got, err := v.DepartmentList(ctx)
	for _, d := range got.List {
		fmt.Fprintf(out, "%s\t%s\tin force %s\twaits %s\t%s\n", d.ID, d.Issuer, orNone(d.InForce), orNone(d.Waiting), d.Proposal)
	}
	return err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// End ends a department.
func End(ctx context.Context, v Vault, id string, out io.Writer) error {
	got, err := v.DepartmentEnd(ctx, vault.DepartmentRequest{ID: id})
	for _, d := range got.List {
		if d.ID == id {
			fmt.Fprintf(out, "ended\t%d members disabled, %d sessions ended\n", d.Members, d.Ended)
		}
	}
	return err
}

// Sync takes in a department's export. r says which one and how; the accounts are read
// from the file.
func Sync(ctx context.Context, v Vault, file string, r vault.StaffSync, out io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := department.ReadExport(f, vault.MaxSync)
	if err != nil {
		return fault.Newf(fault.Invalid, "export", "%s: %v", file, err)
	}
	if r.Whole && len(all.Stay) == 0 {
		return fault.Newf(fault.Invalid, "export", "%s: with --whole a file without anybody active would disable all", file)
	}
	r.Left, r.Stay = all.Left, all.Stay
	got, err := v.StaffSync(ctx, r)
	if err == nil {
		fmt.Fprintf(out, "disabled\t%d members, %d sessions ended\nback\t%d members\n", got.Disabled, got.Ended, got.Back)
	}
	return err
}
