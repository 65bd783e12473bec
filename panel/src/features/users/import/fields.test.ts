import { expect, test } from "vitest";
import { checked, guessed, type Mapping } from "./fields";
import { read } from "./table";

const ROLES = ["agent", "finance"];

function people(text: string, mapping?: Mapping) {
  const sheet = read(text);
  return checked(sheet, mapping ?? guessed(sheet), ROLES);
}

test("columns are guessed by their names, each field once, and the rest is kept beside the person", () => {
  expect(guessed(read("Customer ID,E-Mail,Full name,user_id,Shoe size\n1,2,3,4,5"))).toEqual({
    "Customer ID": "externalUserId",
    "E-Mail": "email",
    "Full name": "name",
    user_id: "other",
    "Shoe size": "other",
  });
});

test("a row becomes what the API takes, without what its cells do not say", () => {
  const [one] = people("id,email,name,roles,size\n7,Ada@Example.com,,agent; finance,38");
  expect(one!.person).toEqual({ externalUserId: "7", email: "ada@example.com", roles: ["agent", "finance"], metadata: { size: "38" } });
  expect(one!.mistakes).toEqual([]);
});

test("JSON keeps its lists and objects", () => {
  const [one] = people('[{"id":7,"roles":["agent"],"metadata":{"a":1},"addresses":{"telegram":"12"}}]');
  expect(one).toMatchObject({ person: { externalUserId: "7", roles: ["agent"], metadata: { a: 1 }, addresses: { telegram: "12" } }, mistakes: [] });
});

test.each([
  ["name\nAda", "neither"],
  ["email\nada", "no e-mail"],
  ["id,phone\n1,0170 1234567", "no phone"],
  ["id,language\n1,English (US)", "no language"],
  ["id,status\n1,gone", "active or disabled"],
  ["id,role\n1,cook", "“cook”"],
  ["id,metadata\n1,many words", "no JSON object"],
])("what is wrong is said: %j", (text, words) => {
  expect(people(text)[0]!.mistakes.join()).toContain(words);
});

test("whoever comes twice is named with the line where they came first", () => {
  const [, second, third] = people("id,email\n1,a@example.com\n2,A@example.com\n3,b@example.com");
  expect(second!.mistakes).toEqual(["the same person as in line 2"]);
  expect(third!.mistakes).toEqual([]);
});
