import { expect, test } from "vitest";
import { read, textOf, Unreadable } from "./table";

test("CSV is read with quotations, breaks inside of them, and the line each row begins on", () => {
  const { columns, rows } = read('id,name\r\n1,"Hopper, Grace"\r\n2,"Ada ""Countess""\nLovelace"\n\n3,Eve\n');
  expect(columns).toEqual(["id", "name"]);
  expect(rows).toEqual([
    { line: 2, cells: { id: "1", name: "Hopper, Grace" } },
    { line: 3, cells: { id: "2", name: 'Ada "Countess"\nLovelace' } },
    { line: 6, cells: { id: "3", name: "Eve" } },
  ]);
});

test.each([";", "\t"])("columns may be parted by %j", (sign) => {
  expect(read(`id${sign}e-mail\n7${sign}a,b@example.com`).rows[0]!.cells).toEqual({ id: "7", "e-mail": "a,b@example.com" });
});

test.each(['[{"email":"a@b.c"}]', '{"users":[{"email":"a@b.c"}]}', '{"email":"a@b.c"}'])("JSON comes in the shapes people have: %s", (text) => {
  expect(read(text).rows).toEqual([{ line: 1, cells: { email: "a@b.c" } }]);
});

test("JSON may have an object on each line, with columns of their own", () => {
  const { columns, rows } = read('{"email":"a@b.c"}\n{"name":"Ada"}');
  expect([columns, rows.length]).toEqual([["email", "name"], 2]);
});

test.each(["", "  \n ", "[1]", "{nothing", 'a,b\n"1,2', "a,a\n1,2"])("what cannot be read is refused: %j", (text) => {
  expect(() => read(text)).toThrow(Unreadable);
});

test("a file of an old spreadsheet keeps its umlauts", async () => {
  expect(await textOf(new Blob([new Uint8Array([0x4a, 0xfc, 0x72, 0x67])]))).toBe("Jürg");
  expect(await textOf(new Blob(["Jürg"]))).toBe("Jürg");
});
