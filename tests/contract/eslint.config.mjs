// graphql-eslint's recommended rules for operations, on every document of this repository: files, and texts in the packages of web/.
import { join } from "node:path";
import graphql from "@graphql-eslint/eslint-plugin";

const root = join(import.meta.dirname, "../..");
const FILES = "tests/documents/*.graphql";
const TEXTS = "web/*/src/**/*.{ts,tsx}";

// A parser that sees nothing: only the GraphQL in these files is checked here. web/ has rules of its own for the rest.
const at = { line: 1, column: 0 };
const ast = {
  type: "Program",
  sourceType: "module",
  body: [],
  tokens: [],
  comments: [],
  range: [0, 0],
  loc: { start: at, end: at },
};

export default [
  { ignores: ["**/dist", "**/node_modules"] },
  { files: [TEXTS], languageOptions: { parser: { parseForESLint: () => ({ ast }) } }, processor: graphql.processor },
  {
    files: ["**/*.graphql"],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: {
        graphQLConfig: {
          schema: [join(root, "schema.graphql"), join(import.meta.dirname, "directives.graphql")],
          documents: [FILES, TEXTS].map((path) => join(root, path)),
          extensions: { pluckConfig: { globalGqlIdentifierName: ["graphql"] } },
        },
      },
    },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...graphql.configs["flat/operations-recommended"].rules,
      // For normalized caches. @ledgerbell/client has none, and relay-compiler adds ids by itself.
      "@graphql-eslint/require-selections": "off",
      "@graphql-eslint/naming-convention": [
        "error",
        {
          // @_unmask, and the meta fields of introspection.
          allowLeadingUnderscore: true,
          VariableDefinition: "camelCase",
          OperationDefinition: "PascalCase",
          FragmentDefinition: "PascalCase",
        },
      ],
    },
  },
];
