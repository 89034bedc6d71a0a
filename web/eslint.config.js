import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

// Paths are layers: client knows no React; features know client and components; app knows all.
const layer = (files, patterns, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: patterns, message }] }] },
});

export default tseslint.config(
  { ignores: ['dist', 'client-package/dist', 'dist-docs', 'node_modules', 'test-results', 'playwright-report'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ['**/*.{ts,tsx}'],
    plugins: { 'react-hooks': hooks },
    rules: { ...hooks.configs.recommended.rules, 'no-console': 'error' },
  },
  {
    // Published, and the part where a forgotten promise loses a message: here the rules that need types hold too.
    files: ['src/client/**/*.ts'],
    extends: [...tseslint.configs.strictTypeCheckedOnly],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
    },
  },
  { files: ['scripts/*.mjs', 'sdk/**/*.mjs'], languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly', URLSearchParams: 'readonly', AbortSignal: 'readonly', fetch: 'readonly', performance: 'readonly', setTimeout: 'readonly', clearTimeout: 'readonly' } } },
  layer(['src/client/**'], ['react', 'react-dom', '**/features/**', '**/components/**', '**/app/**', '**/config/**'], 'client holds no React'),
  layer(['src/components/**'], ['**/features/**', '**/client', '**/client/**', '**/app/**'], 'components only draw'),
  layer(['src/features/**'], ['**/app/**', '**/client/*'], 'features do not know the app, and of the client only its index'),
  layer(['src/app/**'], ['**/client/*'], 'of the client only its index'),
);
