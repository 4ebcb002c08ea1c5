package doctor

import "context"

// Same looks whether what browsers get at each origin is what this program serves: fetched
// is the digest of what is there. Where nothing answers it is a concern, not a failure,
// since the check comes before the first start too.
func Same(name string, origins []string, want string, fetched func(ctx context.Context, origin string) (string, error)) Check {
	return Check{name, func(ctx context.Context) (out []Result) {
		for _, origin := range origins {
			got, err := fetched(ctx, origin)
			switch {
			case err != nil:
				out = append(out, Concern("nothing before the first start; later see that the TLS proxy passes this name on to --staff-listen", "the %s does not answer at %s", name, origin))
			case got != want:
				out = append(out, Bad("stop serving it and look who changed it; tikakosh staff client says more", "browsers get another %s at %s than this program's: sha256:%s", name, origin, got))
			default:
				out = append(out, Good("browsers get this program's %s at %s: sha256:%s", name, origin, got))
			}
		}
		return out
	}}
}
