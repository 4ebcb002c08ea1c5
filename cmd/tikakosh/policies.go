package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"tikakosh/internal/access/policy"
	"tikakosh/internal/doctor"
	"tikakosh/internal/vault"
)

type policiesCmd struct {
	Check policiesCheckCmd `cmd:"" help:"Check a folder of policies and print everything they allow; without a folder, those that come with the program."`
	Write policiesWriteCmd `cmd:"" help:"Write the policies that come with the program into a new folder, to begin one's own with."`
	Show  policiesShowCmd  `cmd:"" help:"Which policies and budgets are in force in a running installation."`
}

type policiesCheckCmd struct {
	Dir string `arg:"" optional:"" type:"existingdir" help:"Folder with *.cedar files."`
}

// Run implements the command.
func (c *policiesCheckCmd) Run() error {
	files, err := policyFiles(c.Dir)
	if err != nil {
		return err
	}
	e, err := policy.FromFiles(files, nil)
	if err != nil {
		return err
	}
	fmt.Printf("policies %s\n\n%s", e.Digest(), e.Matrix())
	return nil
}

type policiesWriteCmd struct {
	Dir string `arg:"" help:"Folder to make."`
}

// Run implements the command.
func (c *policiesWriteCmd) Run() error {
	files, err := policy.Files()
	if err != nil {
		return err
	}
	if err := os.Mkdir(c.Dir, 0o755); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(c.Dir, name), files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}

type policiesShowCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
}

// Run implements the command.
func (c *policiesShowCmd) Run() error {
	return withOperator(c.Data, func(ctx context.Context, client *vault.Client) error {
		r, err := client.Rules(ctx)
		if err != nil {
			return err
		}
		fmt.Println(policiesText(r))
		fmt.Println(budgetsText(r))
		for _, name := range slices.Sorted(maps.Keys(r.Budgets)) {
			fmt.Printf("  %-16s %d\n", name, r.Budgets[name])
		}
		if r.Other {
			fmt.Println(otherFolder)
		}
		return nil
	})
}

const otherFolder = "the folder of --policies holds other policies: they are not in force, and stand as the operator's proposal (docs/OPERATIONS.md, Policies and budgets)"

func policiesText(r vault.Rules) string {
	of := "those that come with the program"
	if r.Own {
		of = "this installation's own, since " + local(r.Since)
	}
	return fmt.Sprintf("policies %s: %s", r.Policies, of)
}

func budgetsText(r vault.Rules) string {
	of := "the defaults"
	if r.BudgetsOwn {
		of = "this installation's own, since " + local(r.BudgetsSince)
	}
	return fmt.Sprintf("budgets %s: %s", r.BudgetsDigest, of)
}

// policyFiles are the checked policies of a folder; none without a folder.
func policyFiles(dir string) (map[string]string, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := policy.ReadDir(os.DirFS(dir))
	if err == nil {
		_, err = policy.FromFiles(files, nil)
	}
	if err != nil {
		return nil, badConfig("--policies %s: %s", dir, message(err))
	}
	return files, nil
}

// policiesFile holds them for the vault, which need not be able to read the folder.
func policiesFile(files map[string]string) (*os.File, error) {
	raw, err := json.Marshal(files)
	if err != nil {
		return nil, err
	}
	return routesFile(raw)
}

// inheritedPolicies reads what policiesFile wrote; none where there is no such file.
func inheritedPolicies() (files map[string]string, err error) {
	f, ok := inheritedIf("policies")
	if !ok {
		return nil, nil
	}
	raw, err := io.ReadAll(io.NewSectionReader(f, 0, 8<<20)) // from its beginning: a vault that is started again has the same
	if err == nil {
		err = json.Unmarshal(raw, &files)
	}
	return files, err
}

// checkPolicies looks at the folder of policies, and, while the installation runs, at what
// is in force.
func (c *doctorCmd) checkPolicies(ctx context.Context) (out []doctor.Result) {
	if _, err := policyFiles(c.Policies); err != nil {
		out = append(out, doctor.Bad("correct the file; tikakosh policies check DIR says the rest", "%s", message(err)))
	}
	client, err := operatorClient(c.Data)
	if err != nil {
		return append(out, doctor.Good("policies: what two people approved last is in force, whatever folder is given"))
	}
	r, err := client.Rules(ctx)
	if err != nil {
		return append(out, doctor.Concern("look again when it serves", "what is in force cannot be asked: %s", message(err)))
	}
	out = append(out, doctor.Good("%s", policiesText(r)), doctor.Good("%s", budgetsText(r)))
	if r.Other {
		out = append(out, doctor.Concern("have two people approve them, or start with the folder of before", "%s", otherFolder))
	}
	return out
}
