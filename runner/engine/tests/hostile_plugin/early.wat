;; Calls the host from a start function, before the instance is bound to anything. A request that
;; is not denied traps, and then there is no instance. PORT is put in by the test.
(component
  (import "wharf:plugin/log@0.1.0" (instance $log
    (type $level' (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $level')))
    (export "log" (func (param "level" $level) (param "message" string)
      (param "fields" (list (tuple string string)))))))
  (import "wharf:plugin/http@0.1.0" (instance $http
    (type $request' (record
      (field "method" string) (field "url" string)
      (field "headers" (list (tuple string (list u8))))
      (field "body" (option (list u8))) (field "timeout" (option u64))))
    (export "request" (type $request (eq $request')))
    (type $response' (record
      (field "status" u16) (field "headers" (list (tuple string (list u8)))) (field "body" (list u8))))
    (export "response" (type $response (eq $response')))
    (type $error' (variant
      (case "invalid" string) (case "denied" string) (case "unreachable" string)
      (case "protocol" string) (case "timeout") (case "too-large" u64) (case "exhausted" string)))
    (export "http-error" (type $error (eq $error')))
    (export "send" (func (param "request" $request) (result (result $response (error $error)))))))

  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $send (canon lower (func $http "send") (memory $bytes) (realloc $realloc)))
  (core func $line (canon lower (func $log "log") (memory $bytes) (realloc $realloc)))

  (core module $start
    (import "memory" "memory" (memory 1))
    (import "host" "send" (func $send
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32)))
    (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
    (data (i32.const 0) "GET")
    (data (i32.const 16) "http://127.0.0.1:PORT/early")
    (func $early
      (call $log (i32.const 4) (i32.const 37) (i32.const 5) (i32.const 0) (i32.const 0))
      (call $send
        (i32.const 0) (i32.const 3)
        (i32.const 16) (i32.const 28)
        (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i64.const 0)
        (i32.const 1024))
      ;; An error, and of the errors the second: denied.
      (if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 1)) (then unreachable))
      (if (i32.ne (i32.load8_u (i32.const 1032)) (i32.const 1)) (then unreachable)))
    (start $early)
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $started (instantiate $start
    (with "memory" (instance $memory))
    (with "host" (instance (export "send" (func $send)) (export "log" (func $line))))))
  (func $run (result (result)) (canon lift (core func $started "run")))
  (instance $exports (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exports)))
