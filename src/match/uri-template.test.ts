import { describe, expect, test } from "vitest";
import { compileTemplateRewrite, compileUriTemplate, type UriTemplate } from "./uri-template.ts";

function compile(template: string): UriTemplate {
  const compiled = compileUriTemplate(template);
  if (!compiled.ok) throw new Error(compiled.issues[0]?.message);
  return compiled.value;
}

const PATHS =
  "/ /a /a/ /b /a/b /a/b/c /x/y/b /x/y.mpd /.mpd /a1.m4s /a.m4s /ab /xa /a* /aXb*c".split(" ");
PATHS.push(..."/a*b*c /q.html /qxhtml /qa* /x/ya /a/x/b /abc /aabbc /xaa /a+b /axb".split(" "));

describe("compileUriTemplate()", () => {
  // As Envoy 1.40 answers for each of them.
  const cases: [string, string][] = [
    ["/a", "/a"],
    ["/", "/"],
    ["/a/", "/a/"],
    ["/a/*", "/a/b"],
    ["/a/**", "/a/ /a/b /a/b/c /a/x/b"],
    ["/**/b", "/a/b /x/y/b /a/x/b"],
    ["/**.mpd", "/x/y.mpd /.mpd"],
    ["/*.m4s", "/a1.m4s /a.m4s"],
    ["/a*.m4s", "/a.m4s"],
    ["/a*b*c", "/abc /aabbc"],
    ["/*a", "/xa /xaa"],
    ["/a{x}b", "/a+b /axb"],
    ["/{x=*}.html", "/q.html"],
    ["/{x=a/*}", "/a/b"],
    ["/{x=a/**}/b", "/a/x/b"],
    ["/{x=**}a", "/a /xa /x/ya /xaa"],
    ["/a+b", "/a+b"],
    ["/***", ""],
  ];
  test.each(cases)("%s takes %s", (template, paths) => {
    const { test: matches } = compile(template);
    expect(PATHS.filter(matches).join(" ")).toBe(paths);
  });

  const refused: [string, string][] = [
    ["a", 'Invalid pattern: "a"'],
    ["/{x}/{x}", 'Repeated variable name: "x"'],
    ["/{x=/a/*}", 'Invalid literal: ""'],
    ["/{x=**}/*", "Glob after text glob."],
    ["/{1x}", 'Invalid variable name: "1x"'],
    ["/{}", 'Invalid variable name: ""'],
    ["/{x=}", "Empty variable match"],
    ["/{x", 'Unmatched variable bracket in "{x"'],
    ["/x}", 'Invalid literal: "x}"'],
    ["/{x={y}}", 'Invalid literal: "{y"'],
    ["/a//b", 'Invalid literal: ""'],
    ["//", 'Invalid literal: ""'],
    ["/a?", 'Invalid literal: "a?"'],
    ["/[a]", 'Invalid literal: "[a]"'],
    ["/{x}{y}", 'Invalid literal: "{y}"'],
    ["/{a}/{b}/{c}/{d}/{e}/{f}", "Exceeded variable count limit (5)"],
    ["/**a/b", "Prefix match not supported."],
    ["/{x=**a}", 'Invalid variable match: "**a"'],
  ];
  test.each(refused)("refuses %s", (template, why) => {
    const what = `path_match_policy.path_template ${template} is invalid: ${why}`;
    expect(compileUriTemplate(template)).toEqual({
      ok: false,
      issues: [{ path: "", message: what }],
    });
  });
});

describe("compileTemplateRewrite()", () => {
  test("puts in what the variables found", () => {
    const template = compile("/{country}/x{n}.m4s/{rest=**}");
    const rewrite = compileTemplateRewrite("/{n}/to/{country}-{rest}", template);
    expect(rewrite.ok && rewrite.value("/us/x12.m4s/a/b")).toBe("/12/to/us-a/b");
  });

  test.each(["{x}", "/{y}", "/{x", "/a//b", "/[", "/{x=*}"])("refuses %s", (rewrite) => {
    expect(compileTemplateRewrite(rewrite, compile("/{x}")).ok).toBe(false);
  });
});
