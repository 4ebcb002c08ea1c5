package main

import (
	"context"
	"os"
	"time"

	"tikakosh/internal/access/department/console"
	"tikakosh/internal/vault"
)

// departmentCmd are the operator's commands about departments whose staff sign in at
// their own identity provider (ADR 37).
type departmentCmd struct {
	Keys departmentKeysCmd `cmd:"" help:"Fetch the provider's addresses and keys into a department's file; run it where the provider is reached."`
	Set  departmentSetCmd  `cmd:"" help:"Hand a department's file to the vault: what it takes away is gone at once, what it adds waits a day and for a national administrator."`
	List departmentListCmd `cmd:"" help:"List the departments: what is in force, and what waits."`
	End  departmentEndCmd  `cmd:"" help:"End a department's sign-in and disable its members, at once."`
}

type departmentKeysCmd struct {
	File string `required:"" type:"existingfile" help:"The department's file; its issuer is asked."`
}

// Run implements the command.
func (c *departmentKeysCmd) Run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return console.Keys(ctx, c.File, os.Stdout)
}

type departmentSetCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	File string `required:"" type:"existingfile" help:"The department's file (docs/OPERATIONS.md)."`
}

// Run implements the command.
func (c *departmentSetCmd) Run() error {
	return withOperator(c.Data, func(ctx context.Context, v *vault.Client) error { return console.Set(ctx, v, c.File, os.Stdout) })
}

type departmentListCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
}

// Run implements the command.
func (c *departmentListCmd) Run() error {
	return withOperator(c.Data, func(ctx context.Context, v *vault.Client) error { return console.List(ctx, v, os.Stdout) })
}

type departmentEndCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	ID   string `required:"" name:"id" help:"The department's id, as list prints it."`
}

// Run implements the command.
func (c *departmentEndCmd) Run() error {
	return withOperator(c.Data, func(ctx context.Context, v *vault.Client) error { return console.End(ctx, v, c.ID, os.Stdout) })
}

type staffSyncCmd struct {
	Data       string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	Department string `required:"" help:"The department's id."`
	File       string `arg:"" type:"existingfile" help:"CSV with a header and the columns sub (the account, as its tokens say it) and active (true or false)."`
	Whole      bool   `help:"The file lists everybody: who is not in it has left."`
	Many       bool   `help:"Disable more than half of the department's members, should the file say so."`
}

// Run implements the command.
func (c *staffSyncCmd) Run() error {
	return withOperator(c.Data, func(ctx context.Context, v *vault.Client) error {
		return console.Sync(ctx, v, c.File, vault.StaffSync{Department: c.Department, Whole: c.Whole, Many: c.Many}, os.Stdout)
	})
}
