// The set-up completes this with the require and replace blocks of Dapr's own go.mod: see launcher/setup/build.py.
module oms/runtime

go 1.26.5

require github.com/dapr/dapr v1.18.2
