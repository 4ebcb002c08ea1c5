package main

import (
	"context"
	"fmt"
	"time"
)

type staffListCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
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
		state := "active"
		if !s.Active {
			state = "ended"
		}
		fmt.Printf("%s\t%s\t%s\tcentre %d\tsince %s\n", s.Staff, state, s.Role, s.Centre, time.UnixMilli(s.Since).UTC().Format(time.DateOnly))
	}
	return nil
}
