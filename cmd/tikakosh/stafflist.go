package main

import (
	"context"
	"fmt"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

type staffListCmd struct {
	Data      string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	Suspended bool   `help:"Only those that a restore suspended."`
}

// Run implements the command.
func (c *staffListCmd) Run() error {
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	list, err := client.StaffCredentials(ctx)
	if err != nil {
		return err
	}
	for _, s := range list.Staff {
		if c.Suspended && !s.Suspended {
			continue
		}
		fmt.Printf("%s\t%s\t%s\tcentre %d\tsince %s\n", s.Staff, vault.CredentialState(s.Active, s.Suspended), s.Role, s.Centre, time.UnixMilli(s.Since).UTC().Format(time.DateOnly))
	}
	return nil
}

type staffConfirmCmd struct {
	Data    string   `required:"" type:"existingdir" help:"Data folder of the running installation."`
	Staff   []string `sep:"none" help:"The credential's name, as list prints it; may be repeated; write --staff=NAME when it begins with a hyphen."`
	Partner []string `sep:"none" help:"A partner, as partner list prints it; may be repeated."`
}

// Run implements the command. It stops at the first one that is not suspended;
// those before it are confirmed.
func (c *staffConfirmCmd) Run() error {
	client, err := operatorClient(c.Data)
	if err != nil {
		return err
	}
	for i, name := range append(c.Staff, c.Partner...) {
		r := vault.ResumeRequest{Staff: id.Staff(name)}
		if i >= len(c.Staff) {
			r = vault.ResumeRequest{Partner: id.Partner(name)}
		}
		if _, err := client.Resume(context.Background(), r); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Println("confirmed", name)
	}
	return nil
}
