// The set-up completes this with the require block of the CLI's own go.mod: see launcher/setup/build.py.
module oms/cli

go 1.26.5

require (
	github.com/dapr/cli v1.16.5
	github.com/dapr/components-contrib v1.16.5 // the CLI asks for v1.16.3, which cannot be had everywhere
)
