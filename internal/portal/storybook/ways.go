package storybook

import (
	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// keeping are the pages about how a household signs in.
func keeping() []Story {
	lines := func(p *view.Page) []view.DeviceLine {
		day, at := p.Day(sampleDay()), p.Clock(sampleTime())
		return []view.DeviceLine{
			{ID: "a", Kind: "ways.kind_device", This: true, Since: day, Last: day},
			{ID: "b", Kind: "ways.kind_device", Since: day, Last: day, Waits: true, Until: at},
			{ID: "c", Kind: "ways.kind_client", Since: day, Last: day},
			{ID: "d", Kind: "ways.kind_partner", Since: day, Last: day},
		}
	}
	devices := func(name string, wrong bool, x view.DevicesPage, n int) Story {
		return Story{Name: name, Title: "ways.devices", Path: "/account", Mine: true, Wrong: wrong, Draw: func(p *view.Page) templ.Component {
			x := x
			x.Devices, p.Waiting = lines(p)[:n], x.Waiting
			if x.Waiting {
				x.Devices[0].Waits = true
			}
			if x.Until != "" {
				x.Until = p.Clock(sampleTime())
			}
			return view.Devices(p, x)
		}}
	}
	pin := func(name string, wrong bool, x view.PINPage) Story {
		return Story{Name: name, Title: "ways.pin", Path: "/account", Mine: true, Wrong: wrong, Draw: func(p *view.Page) templ.Component {
			x := x
			x.At, p.Waiting = p.Clock(sampleTime()), x.Waiting
			return view.PIN(p, x)
		}}
	}
	email := func(name string, wrong bool, x view.EmailPage, since bool) Story {
		return Story{Name: name, Title: "ways.email", Path: "/account", Mine: true, Form: "email-form", Wrong: wrong, Draw: func(p *view.Page) templ.Component {
			x := x
			if since {
				x.Since = p.Day(sampleDay())
			}
			return view.Email(p, x)
		}}
	}
	return []Story{
		devices("devices", false, view.DevicesPage{}, 4),
		devices("devices/none", false, view.DevicesPage{Note: "ways.done_ended"}, 0),
		devices("devices/first-day", false, view.DevicesPage{Warn: "ways.first_day"}, 2),
		devices("devices/waiting", false, view.DevicesPage{Waiting: true, Until: "?", Other: true}, 1),
		devices("devices/waiting-pin", true, view.DevicesPage{Waiting: true, PIN: true, Other: true, Give: view.Field{Wrong: "ways.pin_wrong"}, Card: view.Field{Value: hostile, Wrong: "sign.card_form"}}, 1),
		{Name: "devices/code", Title: "ways.channel_title", Path: "/account", Mine: true, Form: "channel", Draw: func(p *view.Page) templ.Component {
			return view.Channel(p, view.ChannelPage{Action: "/account/devices/confirm", Back: "/account/devices", Txn: "x"})
		}},
		{Name: "devices/refused", Title: "ways.devices", Path: "/account", Mine: true, Draw: func(p *view.Page) templ.Component {
			return view.WaysRefused(p, "ways.not_by_card")
		}},
		pin("pin/none", false, view.PINPage{State: "ways.pin_none"}),
		pin("pin/set", true, view.PINPage{State: "ways.pin_set", Has: true, New: view.Field{Wrong: "ways.pin_weak"}, Old: view.Field{Wrong: "ways.pin_wrong"}}),
		pin("pin/ending", false, view.PINPage{State: "ways.pin_ending", Has: true, Note: "ways.done_pin_later"}),
		pin("pin/coming", false, view.PINPage{State: "ways.pin_coming", Coming: true, Note: "ways.done_pin_set"}),
		pin("pin/waiting", false, view.PINPage{State: "ways.pin_locked", Waiting: true, Warn: "ways.new_device"}),
		email("email", false, view.EmailPage{}, false),
		email("email/set", true, view.EmailPage{Email: view.Field{Value: hostile, Wrong: "ways.email_wrong"}}, true),
		email("email/many", false, view.EmailPage{Warn: "ways.many"}, false),
	}
}
