import { expect, test } from "vitest";
import { compileJsonPath } from "./jsonpath.ts";

const LIST = {
  items: [
    { metadata: { name: "a", annotations: { "x.io/y": "dots" } }, status: { hostIP: "127.0.0.1" } },
    { metadata: { name: "b" }, status: { ready: true, restarts: 3 } },
  ],
  ports: [
    { name: "http2", port: 80, nodePort: 31_000 },
    { name: "https", port: 443 },
  ],
};

function fill(template: string): string {
  const compiled = compileJsonPath(template);
  return compiled.ok ? compiled.value(LIST) : (compiled.issues[0]?.message ?? "");
}

test.each([
  ["{.items[0].status.hostIP}", "127.0.0.1"],
  ["{$.items[0].metadata.name}", "a"],
  ["{.items[-1].metadata.name}", "b"],
  ["{.items[*].metadata.name}", "a b"],
  ["{.items[0,1].metadata.name}", "a b"],
  ["{.items[:1].metadata.name}", "a"],
  ["{.items[0]['metadata'].name}", "a"],
  ["{.items[0].metadata.annotations.x\\.io/y}", "dots"],
  ["{.items[0].metadata.annotations['x.io/y']}", "dots"],
  ['{.ports[?(@.name=="http2")].nodePort}', "31000"],
  ["{.ports[?(@.port>80)].name}", "https"],
  ["{.ports[?(@.nodePort)].name}", "http2"],
  ["{.items[?(@.status.ready==true)].metadata.name}", "b"],
  ['{range .items[*]}{.metadata.name}{"\\t"}{.status.restarts}{"\\n"}{end}', "a\t\nb\t3\n"],
  ["{.nothing.here}", ""],
  ["name: {.items[1].metadata.name}!", "name: b!"],
  ["{.ports[1]}", '{"name":"https","port":443}'],
  ["{.ports[5].name}", ""],
])("`compileJsonPath()` fills %s", (template, expected) => {
  expect(fill(template)).toBe(expected);
});

test.each([
  [".items", "a template needs braces"],
  ["{..name}", "recursive descent"],
  ["{.items[?(@.a =~ 'x')]}", "not supported"],
  ['{.items[?(@.a=="x" && @.b)]}', "not supported"],
  ["{range .items[*]}{.x}", "{range} without {end}"],
  ["{.x}{end}", "{end} without {range}"],
  ["{.items[0}", 'expected "]"'],
  ["{.items[::2]}", "slices with a step"],
  ["{.items", "a path begins with"],
  ["{'x}", "does not end"],
])("`compileJsonPath()` refuses %s", (template, message) => {
  expect(fill(template)).toContain(message);
});
